"""Signed tokens: who may be what in which room.

A token is an itsdangerous URL-safe string over `{"r": room, "o": role}`. It travels in the
fragment of a link, in an `Authorization: Bearer` header or in the Socket.IO CONNECT packet,
never in a path or query, which proxies log.
"""

from dataclasses import dataclass

from itsdangerous import BadData, BadSignature, URLSafeSerializer, URLSafeTimedSerializer

from bridge.errors import TokenError
from bridge.rooms.model import Role

MAX_TOKEN_CHARS = 512
PASS_SECONDS = 12 * 3600
"""Longer than a download takes, shorter than an address lives on in somebody's history."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token proves."""

    room: str
    role: Role


class PassSigner:
    """Signs and checks passes: for some hours whoever has one gets the files of one recording.

    They travel in a query, because browsers download by address alone. Thread-safe.
    """

    def __init__(self, key: bytes) -> None:
        self._serializer = URLSafeTimedSerializer(key, salt="debate-bridge.recording.v1")

    def sign(self, recording: str) -> str:
        """Pass for a recording, from now on."""
        return str(self._serializer.dumps(recording))

    def allows(self, text: str, recording: str) -> bool:
        """Whether `text` is a pass for this recording that is still good."""
        if len(text) > MAX_TOKEN_CHARS:
            return False
        try:
            return bool(self._serializer.loads(text, max_age=PASS_SECONDS) == recording)
        except BadData:
            return False


class TokenSigner:
    """Signs and checks tokens with the installation's key. Thread-safe."""

    def __init__(self, key: bytes) -> None:
        self._serializer = URLSafeSerializer(key, salt="debate-bridge.room.v1")

    def sign(self, room: str, role: Role) -> str:
        """Token for `role` in `room`; the same arguments give the same token."""
        return str(self._serializer.dumps({"r": room, "o": role.value}))

    def read(self, token: str) -> Grant:
        """Return what the token grants. Raises TokenError when it is not one of ours."""
        refusal = "This link is not valid. Ask the host for a new one."
        if len(token) > MAX_TOKEN_CHARS:
            raise TokenError(refusal)
        try:
            content = self._serializer.loads(token)
            return Grant(room=str(content["r"]), role=Role(content["o"]))
        except (BadSignature, KeyError, TypeError, ValueError):
            raise TokenError(refusal) from None

    def require(self, token: str, room: str, *roles: Role) -> Grant:
        """Like `read`, and raise TokenError unless it is for `room` and one of `roles`."""
        grant = self.read(token)
        if grant.room != room:
            message = "This link belongs to another debate."
            raise TokenError(message, code="token_room")
        if grant.role not in roles:
            message = "This link does not allow that."
            raise TokenError(message, code="token_role")
        return grant
