"""`manifest.json`: what a recording was when it was made, signed by the server that made it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256, Hash
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bridge.errors import InputError
from bridge.protocol.chain import Digest

MANIFEST_FILE: Final = "manifest.json"


class SealedFragment(BaseModel):
    """One fragment: some 0.4 s of programme."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seconds: float
    """How long it lasts."""
    sha256: Digest
    """Of the fragment as it was recorded."""
    samples: Mapping[str, tuple[int, Digest]]
    """By kind of track, `vide` or `soun`: bytes of coded samples and their SHA-256. They are the
    same in the finished file, in which they only lie elsewhere."""


class SealedPart(BaseModel):
    """What one broadcast recorded."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    number: int
    chain_head: Digest
    """The last link of its chain."""
    chain_whole: bool
    """Whether the chain, written as it was recorded, fits what was there in the end."""
    fragments: tuple[SealedFragment, ...]


class Seal(BaseModel):
    """What is signed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1] = 1
    recording: str
    room: str
    motion: str
    started_at: float
    parts: tuple[SealedPart, ...]
    files: Mapping[str, Digest]
    """Finished files, by name."""


class Manifest(BaseModel):
    """A seal, with the proof of who made it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seal: Seal
    public_key: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Ed25519 (RFC 8032)."""
    signature: Annotated[str, Field(pattern=r"^[0-9a-f]{128}$")]
    """Of the seal as canonical JSON: sorted keys, no spaces, UTF-8."""

    @classmethod
    def sign(cls, seal: Seal, key: Ed25519PrivateKey) -> Self:
        """Sign a seal."""
        return cls(
            seal=seal,
            public_key=key.public_key().public_bytes_raw().hex(),
            signature=key.sign(_canonical(seal)).hex(),
        )

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a manifest. Raises InputError when there is none that can be read."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            message = f"{path} is no manifest that can be read"
            raise InputError(message, code="manifest") from error

    @property
    def fingerprint(self) -> str:
        """Of the signer's key: what people compare."""
        return fingerprint(bytes.fromhex(self.public_key))

    def is_signed(self) -> bool:
        """Whether the signature is that of the key, for this very seal."""
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(self.public_key))
        try:
            key.verify(bytes.fromhex(self.signature), _canonical(self.seal))
        except InvalidSignature:
            return False
        return True


def fingerprint(public_key: bytes) -> str:
    """First half of the SHA-256 of a public key, in groups of four."""
    digest = Hash(SHA256())
    digest.update(public_key)
    text = digest.finalize()[:16].hex()
    return ":".join(text[begin : begin + 4] for begin in range(0, len(text), 4))


def _canonical(seal: Seal) -> bytes:
    return json.dumps(
        seal.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    ).encode()
