"""One upload session with the server's origin: the PUTs of `bridge.protocol.upload`."""

from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from typing import Final

import aiohttp
from pydantic import BaseModel, Field, ValidationError

from bridge.errors import OutputLostError, OutputRejectedError
from bridge.protocol.upload import ProgrammeDescription, session_path

PUT_SECONDS: Final = 2.0
"""Limit of one PUT: longer than this and its part is too old to be worth the wait."""


class Outcome(Enum):
    """What the origin made of a PUT."""

    TAKEN = "taken"
    UNKNOWN_SESSION = "unknown session"
    OUT_OF_ORDER = "out of order"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the origin said."""

    outcome: Outcome
    next: int = 0
    """With OUT_OF_ORDER: the part it wants."""


class _OutOfOrder(BaseModel):
    next: int = Field(ge=0)


class OriginClient:
    """Sends one programme. Loop-side only; close it from the task that uses it."""

    def __init__(self, server_url: str, token: str, programme: str) -> None:
        self._base = server_url.rstrip("/")
        self._programme = programme
        self._http = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {token}"},
            timeout=aiohttp.ClientTimeout(total=PUT_SECONDS),
        )

    async def close(self) -> None:
        """Give the connections up."""
        await self._http.close()

    async def describe(
        self, session: str, description: ProgrammeDescription, init: bytes
    ) -> Answer:
        """Open `session`, or open it again: its description, then its init segment."""
        answer = await self._put(session, "", description.model_dump_json().encode(), "json")
        if answer.outcome is not Outcome.TAKEN:
            return answer
        return await self._put(session, "/init", init)

    async def put_part(self, session: str, number: int, data: bytes) -> Answer:
        """Send one part."""
        return await self._put(session, f"/parts/{number}", data)

    async def end(self, session: str) -> Answer:
        """Tell that nothing more comes."""
        return await self._put(session, "/end", b"")

    async def _put(
        self, session: str, rest: str, data: bytes, kind: str = "octet-stream"
    ) -> Answer:
        """PUT once. Raises OutputLostError (try again) or OutputRejectedError (no use)."""
        url = f"{self._base}{session_path(self._programme, session)}{rest}"
        headers = {"Content-Type": f"application/{kind}"}
        try:
            async with self._http.put(url, data=data, headers=headers) as response:
                return _read(response.status, await response.read())
        except (TimeoutError, aiohttp.ClientError) as error:
            message = f"the origin does not answer ({type(error).__name__})"
            raise OutputLostError(message) from error


def _read(status: int, body: bytes) -> Answer:
    if status < HTTPStatus.MULTIPLE_CHOICES:
        return Answer(Outcome.TAKEN)
    if status == HTTPStatus.NOT_FOUND:
        return Answer(Outcome.UNKNOWN_SESSION)
    if status == HTTPStatus.CONFLICT:
        try:
            return Answer(Outcome.OUT_OF_ORDER, _OutOfOrder.model_validate_json(body).next)
        except ValidationError:
            message = "the origin refused the order of parts without saying which it wants"
            raise OutputRejectedError(message) from None
    message = f"the origin answered {status}"
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
        raise OutputLostError(message)
    raise OutputRejectedError(message)
