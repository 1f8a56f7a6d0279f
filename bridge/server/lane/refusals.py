"""What the lane itself says no with, in the origin's form."""

from dataclasses import replace
from typing import Final

from bridge.server.lane import head as heads
from bridge.server.origin.answers import Answer
from bridge.server.origin.routes import refusal

BUSY: Final = refusal(503, "Too many requests are waiting; try again.")


def refused(error: heads.MalformedError) -> Answer:
    """Return the answer to a head that cannot be taken; 405 names what can (RFC 9110 15.5.6)."""
    answer = refusal(error.status, error.message)
    if error.status != 405:
        return answer
    return replace(answer, fields=(*answer.fields, ("Allow", ", ".join(heads.METHODS))))
