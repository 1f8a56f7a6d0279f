"""`python -m bridge.broadcast.trial`: tries one destination with a test card, says how it went.

stdin   one line TrialConfig, JSON; its end ends the trial
stdout  one line TrialReport, JSON
"""

import asyncio
import sys
from io import FileIO
from typing import Final

from pydantic import ValidationError

from bridge.broadcast.broadcast import encoder_settings
from bridge.broadcast.media.packets import EncodedPacket
from bridge.broadcast.outputs.connection import Target
from bridge.broadcast.outputs.restream import RestreamOutput
from bridge.broadcast.standard_input import ended
from bridge.broadcast.test_card import TestCard
from bridge.clock import Clock, SystemClock
from bridge.log import Redactor, set_up
from bridge.protocol.broadcast_config import TrialConfig, TrialReport
from bridge.protocol.messages import DestinationReport, OutputState

_SETTLED_SECONDS: Final = 4.0
"""On air for so long: a wrong key would have been refused."""
_STOP_SECONDS: Final = 2.0


async def _try(config: TrialConfig, source: FileIO, clock: Clock) -> TrialReport:
    card = await asyncio.to_thread(lambda: TestCard(encoder_settings(config.canvas)))
    reports: list[DestinationReport] = []
    output = RestreamOutput(
        "trial",
        Target(url=config.url, allow_private=config.allow_private),
        parameters=card.parameters,
        clock=clock,
        on_report=reports.append,
    )
    output.start()
    async with ended(source, lambda _line: None) as over:
        await _feed(card, output, reports, config, clock, over)
    last = reports[-1]
    await output.stop(_STOP_SECONDS)
    return TrialReport(
        ok=last.state in {OutputState.LIVE, OutputState.DEGRADED},
        state=last.state,
        detail=last.detail,
        sent_bytes=last.sent_bytes,
    )


async def _feed(
    card: TestCard,
    output: RestreamOutput,
    reports: list[DestinationReport],
    config: TrialConfig,
    clock: Clock,
    over: asyncio.Event,
) -> None:
    """Send in real time until it is plain how it goes."""
    begin, frame, live_since = clock.monotonic(), 0, None
    while not over.is_set() and clock.monotonic() - begin < config.seconds:
        for packet in await asyncio.to_thread(_encode, card, frame):
            output.put(packet)
        frame += 1
        state, now = reports[-1].state, clock.monotonic()
        if state is OutputState.REJECTED:
            return
        live_since = (live_since or now) if state is OutputState.LIVE else None
        if live_since is not None and now - live_since >= _SETTLED_SECONDS:
            return
        await asyncio.sleep(max(0.0, begin + frame / config.canvas.fps - now))


def _encode(card: TestCard, frame: int) -> list[EncodedPacket]:
    return list(card.tick(frame))


def main() -> int:
    """Read the configuration, try, report."""
    source = FileIO(sys.stdin.fileno(), closefd=False)
    try:
        config = TrialConfig.model_validate_json(source.readline())
    except ValidationError:
        sys.stderr.write("trial: malformed configuration\n")
        return 2
    set_up("warning", Redactor([config.url, config.url.rpartition("/")[2]]))
    report = asyncio.run(_try(config, source, SystemClock()))
    sys.stdout.write(report.model_dump_json() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
