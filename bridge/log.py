"""Logging: one line per event, prefixed by room and owner, with secrets cut out at the source.

Every secret that enters the process is registered with a `Redactor` before anything can log it;
the filter then removes it from messages, arguments and tracebacks alike. Stream keys appear in
FFmpeg's own exception texts, which is why formatting alone is not enough.
"""

import logging
import sys
from collections.abc import Iterable
from threading import Lock

_FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


class Redactor(logging.Filter):
    """Replaces registered secrets in every record. Thread-safe."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        self._lock = Lock()
        self._secrets: tuple[str, ...] = ()
        self._formatter = logging.Formatter()
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str) -> None:
        """Hide `secret` from now on. Shorter than six characters is ignored: it would hit words."""
        if len(secret) < 6:
            return
        with self._lock:
            # Longest first, so that a secret that contains another leaves no remainder.
            self._secrets = tuple(sorted({*self._secrets, secret}, key=len, reverse=True))

    def redact(self, text: str) -> str:
        """Return `text` without any registered secret."""
        for secret in self._secrets:
            text = text.replace(secret, "[hidden]")
        return text

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record in place; never drops one."""
        if self._secrets:
            record.msg = self.redact(record.getMessage())
            record.args = None
            if record.exc_info and not record.exc_text:
                record.exc_text = self._formatter.formatException(record.exc_info)
            if record.exc_text:
                record.exc_text = self.redact(record.exc_text)
        return True


def set_up(level: str, redactor: Redactor) -> None:
    """Send everything to stderr through `redactor`. Call once, at process start."""
    output = logging.StreamHandler(sys.stderr)
    output.setFormatter(logging.Formatter(_FORMAT))
    output.addFilter(redactor)
    root = logging.getLogger()
    root.handlers[:] = [output]
    root.setLevel(level.upper())
    # Their INFO is our DEBUG: one line per packet or request.
    for chatty in ("aioice", "aiortc", "aiohttp.access", "engineio", "socketio", "sqlalchemy"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))


def mask_url(url: str) -> str:
    """Show scheme and host of a destination and nothing that could be a key.

    >>> mask_url("rtmp://live.example/app/secret-key")
    'rtmp://live.example/•••'
    """
    scheme, separator, rest = url.partition("://")
    host = rest.partition("/")[0].rpartition("@")[2]
    return f"{scheme}{separator}{host}/•••"
