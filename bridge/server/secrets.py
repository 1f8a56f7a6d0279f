"""The installation's secret: one key file, and what is derived from it."""

import base64
import hashlib
import hmac
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from cryptography.fernet import Fernet, InvalidToken

from bridge.errors import SetupError

_FILE: Final = "secret.key"
_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class InstallationKey:
    """256 random bits, made at first start with mode 0600. Whoever has it owns the installation."""

    secret: bytes = field(repr=False)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the key of a data folder; make it when there is none. Raises SetupError."""
        path = folder / _FILE
        if not path.exists():
            write_private(path, os.urandom(_BYTES))
        secret = path.read_bytes()
        if len(secret) != _BYTES:
            message = f"{path} is damaged. Restore it, or remove it: all links then change."
            raise SetupError(message)
        return cls(secret)

    def derive(self, label: str) -> bytes:
        """Return an independent key for one purpose (HMAC-SHA-256 as a PRF)."""
        return hmac.new(self.secret, label.encode(), hashlib.sha256).digest()


def write_private(path: Path, secret: bytes) -> None:
    """Make a file that only its owner reads, whole or not at all."""
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secret)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


class Vault:
    """Encrypts what must not be readable in the database: stream keys."""

    def __init__(self, key: InstallationKey) -> None:
        self._fernet = Fernet(base64.urlsafe_b64encode(key.derive("destinations")))

    def seal(self, text: str) -> str:
        """Encrypt."""
        return self._fernet.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """Decrypt. Raises SetupError when it was sealed with another key."""
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken:
            message = f"A destination was saved with another {_FILE}. Restore that file."
            raise SetupError(message) from None
