"""Isolated tracks laid under the programme: barcodes and beeps of a real debater in both."""

import shutil
import sys
from pathlib import Path
from statistics import median

import av
import numpy as np

from bridge.debater.barcode import decode_barcode
from bridge.debater.burn_in import BARCODE_BOX
from bridge.debater.face import WIDTH, Box
from bridge.debater.persona import PERSONAS
from bridge.protocol.messages import IngestState
from bridge.rooms.model import Side
from tests.e2e.stack import Bridge, HostEye
from tests.helpers import until
from tests.lab.decoding import RATE, beep_onsets
from tests.lab.stage import SyncDebater

ORIGIN = 10.0
MOST_APART = 0.020
_SETTLING = 4
"""Beeps, one a second: the programme's playout takes up what is off at first by splices."""
TILE = Box(16, 156, 616, 464)
"""The proposition's, of the theme "classic"; a 640x360 picture covers it."""


def clocks(path: Path, *, programme: bool) -> dict[int, float]:
    """The moment at which each barcode is first to be seen."""
    seen: dict[int, float] = {}
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            luma = frame.to_ndarray()[: frame.height, : frame.width]
            value = decode_barcode(_barcode(luma, programme=programme))
            if value is not None and frame.time is not None:
                seen.setdefault(value, float(frame.time) - (ORIGIN if programme else 0))
    return seen


def _barcode(luma: np.ndarray, *, programme: bool) -> np.ndarray:
    box = BARCODE_BOX
    if programme:
        scale = max(TILE.width / WIDTH, TILE.height / 360)
        left = TILE.left + TILE.width / 2 + (box.left - WIDTH / 2) * scale
        top = TILE.top + TILE.height / 2 + (box.top - 180) * scale
    else:
        scale = luma.shape[1] / WIDTH
        left, top = box.left * scale, box.top * scale
    rows = slice(round(top), round(top + box.height * scale))
    return luma[rows, round(left) : round(left + box.width * scale)]


def beeps(path: Path, *, programme: bool) -> list[float]:
    """The moments at which the proposition's beeps begin."""
    times, pieces = [], []
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            assert frame.time is not None
            samples = frame.to_ndarray().astype(float)
            if not frame.format.is_planar:
                samples = samples.reshape(-1, 2).T
            times.append(float(frame.time))
            pieces.append(samples.mean(axis=0))
    begin = times[0]
    sound = np.zeros(round((times[-1] - begin) * RATE) + pieces[-1].size + RATE)
    for time, piece in zip(times, pieces, strict=True):
        at = round((time - begin) * RATE)
        sound[at : at + piece.size] = piece
    begin -= ORIGIN if programme else 0
    return [begin + at for at in beep_onsets(sound, PERSONAS[Side.PROPOSITION].sync_pitch)]


async def test_picture_and_sound_line_up_within_20_ms(tmp_path: Path) -> None:
    bridge = Bridge(tmp_path / "data")
    await bridge.start()
    try:
        body = {"motion": "m", "proposition": "Ada", "opposition": "Ben", "isolated": True}
        room = await bridge.call("POST", "/api/v1/rooms", body=body, expect=201)
        api, token = f"/api/v1/rooms/{room['id']}", room["host_token"]
        links = room["links"]
        async with (
            HostEye(links["host"]) as eye,
            SyncDebater(links["proposition"], (), tmp_path / "proposition.log"),
            SyncDebater(links["opposition"], (), tmp_path / "opposition.log"),
        ):
            await bridge.call("POST", f"{api}/start", token=token)
            await until(
                lambda: all(eye.ingest(side) is IngestState.RECEIVING for side in Side),
                "both are received",
                seconds=40,
            )
            began = eye.programme.ticks
            await until(lambda: eye.programme.ticks > began + 450, "15 s of debate", seconds=40)
            (part,) = (tmp_path / "data").rglob("programme-1.part.mp4")
            copies = [tmp_path / name for name in ("programme.mp4", "proposition.mkv")]
            shutil.copy(part, copies[0])
            shutil.copy(part.with_name("proposition-1.mkv"), copies[1])
            assert part.with_name("opposition-1.mkv").stat().st_size > 10_000
            assert part.with_name("isolated-1.json").exists()
            await bridge.call("POST", f"{api}/stop", token=token)
    finally:
        await bridge.stop()

    programme, isolated = (clocks(path, programme=path is copies[0]) for path in copies)
    apart = [programme[value] - isolated[value] for value in programme.keys() & isolated.keys()]
    assert len(apart) > 100
    heard, own = (beeps(path, programme=path is copies[0]) for path in copies)
    sound = [at - min(own, key=lambda other: abs(other - at)) for at in heard[1:-1]]
    sound = sound[_SETTLING:]
    assert len(sound) >= 5
    figures = (median(apart), min(apart), max(apart), median(sound), min(sound), max(sound))
    sys.stderr.write(f"picture, sound apart: {[f'{1000 * figure:.1f} ms' for figure in figures]}\n")
    assert abs(median(apart)) < MOST_APART
    assert abs(median(sound)) < MOST_APART
