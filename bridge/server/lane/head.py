"""Request heads: what the lane must know of them, and nothing more. Pure (RFC 9112)."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

from bridge.server.origin.answers import Asked

PREFIX: Final = b"/live/"
MAX_HEAD_BYTES: Final = 16 * 1024
END: Final = b"\r\n\r\n"
_LINE: Final = re.compile(rb"([A-Z]{1,16}) (/live/[!-~]*) HTTP/1\.([01])")
_FIELD: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*?)[ \t]*")
_ETAG: Final = re.compile(r'(?:W/)?"([^"]*)"')
METHODS: Final = ("GET", "HEAD", "OPTIONS")


class MalformedError(Exception):
    """A head that gets no answer but this status, and after which nothing can be trusted."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True, slots=True)
class Head:
    """A request for something under `/live/`."""

    asked: Asked
    keeps_alive: bool


def begins(data: bytes) -> bool:
    """Whether `data`, the first bytes of a request, is one for the lane."""
    method, space, rest = data[:24].partition(b" ")
    return bool(space) and method.isupper() and rest.startswith(PREFIX)


@lru_cache(maxsize=1024)
def parse(head: bytes) -> Head:
    """Read a head without its empty line. Raises MalformedError.

    Remembered: in a crowd everybody with the same browser sends the same bytes.
    """
    lines = head.split(b"\r\n")
    line = _LINE.fullmatch(lines[0])
    if line is None:
        raise MalformedError(400, "That is no HTTP/1 request line.")
    method, target, minor = line[1].decode("ascii"), line[2].decode("ascii"), line[3]
    fields: dict[bytes, bytes] = {}
    for text in lines[1:]:
        field = _FIELD.fullmatch(text)
        if field is None:
            raise MalformedError(400, "That is no header field.")
        name = field[1].lower()
        fields[name] = fields[name] + b", " + field[2] if name in fields else field[2]
    if fields.get(b"content-length", b"0").strip() != b"0" or b"transfer-encoding" in fields:
        raise MalformedError(413, "Nothing is sent to these addresses.")
    check_method(method)
    path, _, query = target.partition("?")
    asked = Asked(
        method=method,
        path=unquote(path) if "%" in path else path,
        query=query,
        takes_gzip=takes_gzip(fields.get(b"accept-encoding", b"").decode("latin-1")),
        etags=etags(_text(fields.get(b"if-none-match"))),
    )
    return Head(asked, _keeps_alive(fields.get(b"connection", b""), minor))


def check_method(method: str) -> None:
    """Raise MalformedError for what is not answered here."""
    if method not in METHODS:
        raise MalformedError(405, f"Only {', '.join(METHODS)}.")


def _keeps_alive(connection: bytes, minor: bytes) -> bool:
    options = {option.strip().lower() for option in connection.split(b",")}
    if minor == b"0":
        return b"keep-alive" in options
    return b"close" not in options


def takes_gzip(accepted: str) -> bool:
    """Whether Accept-Encoding allows gzip."""
    for item in accepted.split(",") if "gzip" in accepted.lower() else ():
        coding, _, quality = item.partition(";")
        if coding.strip().lower() == "gzip":
            return quality.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


def etags(given: str | None) -> frozenset[str]:
    """Return the opaque tags of If-None-Match."""
    if given is None:
        return frozenset()
    return frozenset({"*"}) if given.strip() == "*" else frozenset(_ETAG.findall(given))


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")
