"""Offers and candidates that nobody would send, at every door that they pass."""

import asyncio
import gc
from typing import Any

import pytest
from pydantic import ValidationError

from bridge.broadcast.rtc.ingest import Ingest
from bridge.broadcast.rtc.offer import check_offer
from bridge.errors import InputError
from bridge.protocol.messages import IceCandidate, SessionDescription
from bridge.server.signalling import check_sdp
from tests.fuzz.mutate import Mutator, candidate_seeds, found, sdp_seeds
from tests.fuzz.witness import Witness
from tests.ingest import Seat
from tests.rtc import CameraTrack, Sender

INPUTS = 10_000
_IN_FULL = 2
"""Each second offer is answered if it can be, the others end at the door: it takes a minute."""
_PER_LINK = 60
"""Candidates tried on one connection, which takes 30."""

pytestmark = pytest.mark.timeout(400)


async def offer(seat: Seat, number: int, sdp: str) -> bool:
    """Pass the doors of server and broadcast; whether the offer could be answered."""
    try:
        description = SessionDescription(type="offer", sdp=sdp)
        check_sdp(description.sdp)
        if number % _IN_FULL:
            check_offer(description.sdp, allow_loopback=True)
        else:
            await seat.ingest.accept(f"fuzz.{number}", description.sdp, session="session-1")
    except (ValidationError, InputError):
        return False
    return True


async def test_ten_thousand_bad_offers_end_nothing() -> None:
    failures: list[str] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _loop, context: failures.append(str(context))
    )
    victim, witness = Seat("proposition"), Witness("opposition")
    sender = Sender(CameraTrack())
    await sender.connect(witness.ingest, "witness.1")
    await witness.receiving()
    offers = [item.decode() for item in found("sdp")]
    offers += Mutator(201).texts(sdp_seeds(), INPUTS)
    answered = 0
    for number, sdp in enumerate(offers):
        try:
            answered += await offer(victim, number, sdp)
        except Exception as error:
            message = f"seed 201, offer {number}: {error!r}\n{sdp}"
            raise AssertionError(message) from error
        # A browser's next offer does not come within the same turn of the loop.
        await asyncio.sleep(0)
    assert 0 < answered < INPUTS
    await witness.more_pictures()
    witness.check("seed 201")
    await sender.close()
    last = Sender(CameraTrack())
    await last.connect(victim.ingest, "good.1")
    await victim.more_pictures()
    for ending in (last, victim.ingest, witness.ingest):
        await ending.close()
    gc.collect()
    await asyncio.sleep(0)
    assert failures == [], "seed 201"


async def test_ten_thousand_bad_candidates_end_nothing() -> None:
    seat = Seat("proposition")
    ingest = seat.ingest
    sender = Sender(CameraTrack())
    candidates = [item.decode() for item in found("candidates")]
    candidates += Mutator(202).texts(candidate_seeds(), INPUTS)
    taken: list[object] = []
    good = await sender.offer()
    link = ""
    for number, text in enumerate(candidates):
        if number % _PER_LINK == 0:
            link = f"fuzz.{number}"
            await ingest.accept(link, good, session="session-1")
            _keep_to_ourselves(ingest, taken)
        try:
            candidate = IceCandidate.model_validate({"candidate": text, "sdpMid": "0"})
            values = candidate.model_dump(by_alias=True, exclude_none=True)
            await ingest.add_candidate(link, values)
        except (ValidationError, InputError):
            continue
        except Exception as error:
            message = f"seed 202, candidate {number}: {error!r}\n{text!r}"
            raise AssertionError(message) from error
    assert taken
    await sender.connect(ingest, "good.1")
    await seat.more_pictures()
    await sender.close()
    await ingest.close()


def _keep_to_ourselves(ingest: Ingest, taken: list[object]) -> None:
    """Let nothing be sent to the addresses that mutations make up."""
    connection: Any = ingest._connection
    ice = connection._peer.getTransceivers()[0].receiver.transport.transport._connection

    async def take(candidate: object) -> None:
        taken.append(candidate)

    ice.add_remote_candidate = take
