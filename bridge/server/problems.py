"""Errors as people and programs get them: problem+json (RFC 9457) or a page; and safe headers."""

import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from pydantic import ValidationError

from bridge.errors import BridgeError, ConflictError, InputError, NotFoundError, TokenError

logger = logging.getLogger(__name__)

ErrorPage = Callable[[web.Request, int, str], web.Response]
"""Draws an error for people: request, status, detail."""

_CSP: Final = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "worker-src 'self' blob:",
        "connect-src 'self' ws: wss:",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'self'",
    )
)
_SAFE_HEADERS: Final = {
    "Content-Security-Policy": _CSP,
    "Permissions-Policy": "camera=(self), microphone=(self), display-capture=(self)",
    # The fragment of a link is never sent; nothing else of it needs to be.
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
}


_WORDS: Final = {
    HTTPStatus.NOT_FOUND: "There is nothing at this address. Check the link.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This address does not take that method.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "That is more than we take.",
    HTTPStatus.REQUEST_TIMEOUT: "The rest of the request did not come.",
}


def status_of(error: BridgeError) -> HTTPStatus:
    """HTTP status for an error of ours."""
    if isinstance(error, TokenError):
        foreign = error.code in {"token_room", "token_role"}
        return HTTPStatus.FORBIDDEN if foreign else HTTPStatus.UNAUTHORIZED
    if isinstance(error, NotFoundError):
        return HTTPStatus.NOT_FOUND
    if isinstance(error, ConflictError):
        return HTTPStatus.CONFLICT
    if isinstance(error, InputError):
        too_large = error.code == "too_large"
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE if too_large else HTTPStatus.BAD_REQUEST
    return HTTPStatus.SERVICE_UNAVAILABLE


def explain(error: ValidationError) -> str:
    """Say in one sentence what is wrong with the first malformed field; never its value."""
    first = error.errors(include_input=False, include_context=False, include_url=False)[0]
    field = ".".join(str(step) for step in first["loc"]) or "The body"
    return f"{field}: {first['msg']}."


def problem(status: int, detail: str, code: str) -> web.Response:
    """Answer in problem+json."""
    return web.json_response(
        {
            "type": f"urn:debate-bridge:{code}",
            "title": HTTPStatus(status).phrase,
            "status": status,
            "detail": detail,
            "code": code,
        },
        status=status,
        content_type="application/problem+json",
    )


def wants_page(request: web.Request) -> bool:
    """Whether a person in a browser asked, rather than a program."""
    programs = ("/api/", "/live/", "/ingest/", "/i18n/", "/static/")
    if request.path.startswith(programs):
        return False
    return "text/html" in request.headers.get("Accept", "")


def error_middleware(page: ErrorPage) -> Middleware:
    """Turn every error into an answer, and log what is our own fault."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except ValidationError as error:
            status, detail, code = HTTPStatus.UNPROCESSABLE_ENTITY, explain(error), "invalid"
        except BridgeError as error:
            status, detail, code = status_of(error), error.message, error.code
        except web.HTTPException as error:
            if error.status < HTTPStatus.BAD_REQUEST:
                raise
            status, code = HTTPStatus(error.status), "http"
            detail = _WORDS.get(status, error.reason)
        except ConnectionResetError:
            raise
        except Exception:
            logger.exception("%s %s failed", request.method, request.path)
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            detail, code = "Something went wrong on our side. Try again.", "internal"
        if code not in {"http", "internal"}:
            logger.info("x %s %s: %d %s", request.method, request.path, status, code)
        if wants_page(request):
            return page(request, status, detail)
        return problem(status, detail, code)

    return middleware


async def add_safe_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """Signal `on_response_prepare`: headers that every answer carries."""
    for name, value in _SAFE_HEADERS.items():
        response.headers.setdefault(name, value)
