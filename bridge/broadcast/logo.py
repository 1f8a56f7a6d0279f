"""The sponsor's logo, as themes take it."""

import base64
from pathlib import Path
from typing import Final

from bridge.errors import SettingsError

_MAX_BYTES: Final = 256 * 1024
"""With base64 about two thirds of what a template may be."""
_KINDS: Final = {
    b"\x89PNG\r\n\x1a\n": "png",
    b"\xff\xd8\xff": "jpeg",
    b"RIFF": "webp",
}
"""By how the file begins: names may be wrong."""


def read_logo(path: Path) -> str:
    """Return a picture as a `data:` address. Raises SettingsError, saying what to do."""
    try:
        data = path.read_bytes()
    except OSError as error:
        message = f"The logo {path} cannot be read: {error.strerror}. Check BRIDGE_LOGO."
        raise SettingsError(message) from error
    kind = next((name for begin, name in _KINDS.items() if data.startswith(begin)), None)
    if kind is None or len(data) > _MAX_BYTES:
        message = f"The logo {path} must be a PNG, JPEG or WebP of at most 256 KiB."
        raise SettingsError(message)
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
