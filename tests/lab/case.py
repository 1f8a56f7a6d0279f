"""The networks of issue 3, and one debate on air under each."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from bridge.rooms.model import Side
from tests.lab.decoding import Picture, decode
from tests.lab.impairment import Cut, Impairment
from tests.lab.measure import (
    ProgrammeFigures,
    SideFigures,
    back_after,
    measure_programme,
    measure_side,
    slate_after,
)
from tests.lab.namespaces import Lab, lab
from tests.lab.stage import Stage, on_stage
from tests.lab.viewer import Viewer

_SETTLE_SECONDS: Final = 4.0
"""From both being received to the first picture that counts."""
_BEFORE_OUTAGE_SECONDS: Final = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A network. What is not an outage is there from before the debaters come."""

    name: str
    loss_percent: int = 0
    """Each way, of UDP."""
    impairment: Impairment = field(default_factory=Impairment)
    outages: tuple[float, ...] = ()
    """How long each is, in seconds; 8 s are between them."""
    cut: Cut = Cut.UDP
    """What an outage cuts."""


CASES: Final = (
    Case(name="clean"),
    *(Case(name=f"loss-{percent}", loss_percent=percent) for percent in (2, 5, 10, 20)),
    Case(name="rtt-200", impairment=Impairment(delay_ms=100)),
    Case(name="jitter-30", impairment=Impairment(jitter_ms=30)),
    Case(name="reorder-5", impairment=Impairment(reorder=0.05, duplicate=0.01)),
    Case(name="loss-10-rtt-200", loss_percent=10, impairment=Impairment(delay_ms=100)),
    Case(
        name="mobile", loss_percent=2,
        impairment=Impairment(delay_ms=100, jitter_ms=30, reorder=0.02),
    ),
    Case(name="outage-2", outages=(2,)),
    Case(name="outage-10", outages=(10,)),
    Case(name="unplugged-10", outages=(10,), cut=Cut.ALL),
    Case(name="bandwidth-500", impairment=Impairment(bandwidth_kbps=500)),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class OutageFigures:
    """How one debater's picture went and came back. Seconds."""

    slate_after: float | None
    """From the outage's begin; None: he always had a picture."""
    back_after: float | None
    """From the outage's end until a picture drawn after it; None: never."""


@dataclass(frozen=True, slots=True)
class Figures:
    """One case, measured."""

    programme: ProgrammeFigures
    skipped: int
    """Ticks of the programme's clock without a picture."""
    sides: dict[Side, SideFigures]
    concealed_ms: dict[Side, float]
    """Sound made up, by the broadcast's own count."""
    outages: list[dict[Side, OutageFigures]]
    generations: dict[Side, int]
    """Joins of each seat: 1, unless signalling was lost too."""


async def run_case(case: Case, seconds: float, folder: Path) -> Figures:
    """Measure `seconds` of programme under `case`; logs and the take stay in `folder`."""
    async with lab() as cable:
        await cable.impair(case.impairment)
        await cable.lose(case.loss_percent)
        async with on_stage(cable, folder) as stage:
            await asyncio.sleep(_SETTLE_SECONDS)
            skipped = stage.eye.programme.skipped
            async with Viewer(stage, folder / "take.mp4") as viewer, _concealed(stage) as concealed:
                outages = await _pass_time(cable, case, seconds)
            skipped = stage.eye.programme.skipped - skipped
            assert stage.eye.room is not None
            generations = {item.seat: item.generation for item in stage.eye.room.participants}
    taken = await asyncio.to_thread(decode, viewer.take)
    return Figures(
        programme=measure_programme(taken),
        skipped=skipped,
        sides={side: measure_side(taken.sides[side]) for side in Side},
        concealed_ms=concealed,
        outages=[
            {side: _judge(taken.sides[side].pictures, begin, end) for side in Side}
            for begin, end in outages
        ],
        generations=generations,
    )


async def _pass_time(cable: Lab, case: Case, seconds: float) -> list[tuple[float, float]]:
    """Let `seconds` pass, outages included; return the wall times of these."""
    loop = asyncio.get_running_loop()
    last = loop.time() + seconds
    outages: list[tuple[float, float]] = []
    for length in case.outages:
        await asyncio.sleep(_BEFORE_OUTAGE_SECONDS)
        begin = time.time()
        await cable.impair(replace(case.impairment, cut=case.cut))
        await asyncio.sleep(length)
        await cable.impair(case.impairment)
        outages.append((begin, time.time()))
    await asyncio.sleep(last - loop.time())
    return outages


def _judge(pictures: list[Picture], begin: float, end: float) -> OutageFigures:
    # A slate that comes later than this belongs to something else.
    until = end + _BEFORE_OUTAGE_SECONDS
    return OutageFigures(slate_after(pictures, begin, until), back_after(pictures, end))


@asynccontextmanager
async def _concealed(stage: Stage) -> AsyncIterator[dict[Side, float]]:
    """Add up, once a second, what the broadcast says of the last second."""
    sums: dict[Side, float] = dict.fromkeys(Side, 0.0)

    async def listen() -> None:
        while True:
            await asyncio.sleep(1)
            for side, report in stage.eye.host.ingests.items():
                sums[side] += report.concealed_ms

    listening = asyncio.create_task(listen())
    try:
        yield sums
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
