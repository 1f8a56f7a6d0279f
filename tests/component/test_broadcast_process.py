"""The broadcast as a process: what it says and how it ends when the machine lacks something."""

import subprocess
import sys

import pytest

from bridge.broadcast.media.encoders import EncoderKind, look
from bridge.protocol.broadcast_config import BroadcastConfig, CanvasConfig
from bridge.rooms.model import Side


@pytest.mark.skipif(look(EncoderKind.VAAPI).works, reason="this machine has VA-API")
def test_an_encoder_that_is_not_there_ends_it_with_a_line_that_says_what_to_do() -> None:
    config = BroadcastConfig(
        server_url="http://127.0.0.1:1",
        token="a-token",
        room="room",
        programme="room",
        motion="This house would encode in hardware",
        names={side: side.value for side in Side},
        theme="classic",
        canvas=CanvasConfig(encoder="vaapi"),
    )
    process = subprocess.run(
        [sys.executable, "-m", "bridge.broadcast"],
        input=config.model_dump_json() + "\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert process.returncode == 1
    assert "The encoder vaapi does not work here" in process.stderr
    assert "BRIDGE_ENCODER=x264" in process.stderr
    assert "Traceback" not in process.stderr
