"""What doors of the API have in common: reading a body, knowing a host."""

import asyncio
from typing import Final

from aiohttp import web

from bridge.errors import TokenError
from bridge.protocol.tokens import Grant, TokenSigner
from bridge.rooms.model import Role

_BODY_SECONDS: Final = 10.0


async def read_body(request: web.Request) -> bytes:
    """Return the whole body, which the application bounds. Raises HTTPRequestTimeout."""
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            return await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout from None


def bearer(request: web.Request) -> str:
    """Return the token of the request; empty when it has none."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token if scheme == "Bearer" else ""


def require_host(request: web.Request, signer: TokenSigner) -> Grant:
    """Return the grant of the host of the route's `{room}`. Raises TokenError for anybody else."""
    return require_host_of(request, signer, request.match_info["room"])


def require_host_of(request: web.Request, signer: TokenSigner, room: str) -> Grant:
    """Return the grant of the host of `room`. Raises TokenError for anybody else."""
    token = bearer(request)
    if not token:
        message = "This needs the host's link."
        raise TokenError(message)
    return signer.require(token, room, Role.HOST)
