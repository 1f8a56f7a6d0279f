"""The hash chain of a recording: each link proves all that was written before it.

A link is SHA-256(link before it || SHA-256(what was written)). The chain of broadcast `n` begins
with SHA-256 of "debate-bridge chain 1". Whoever changes, removes or reorders anything has to make
all links after it anew, and the last one is in the signed manifest.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

_FIRST: Final = hashlib.sha256(b"debate-bridge chain 1").digest()

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Link(BaseModel):
    """One line of the chain's file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    of: Literal["init", "part", "event"]
    offset: Annotated[int, Field(ge=0)]
    """In the file of parts, or in the event log."""
    length: Annotated[int, Field(ge=0)]
    sha256: Digest
    """Of what was written."""
    link: Digest


@dataclass(slots=True)
class Chain:
    """Makes one link after the other. Not thread-safe."""

    head: bytes = _FIRST

    def add(self, of: Literal["init", "part", "event"], offset: int, data: bytes) -> Link:
        """Return the link of what is written now."""
        digest = hashlib.sha256(data).digest()
        self.head = hashlib.sha256(self.head + digest).digest()
        return Link(
            of=of,
            offset=offset,
            length=len(data),
            sha256=digest.hex(),
            link=self.head.hex(),
        )


def line_of(link: Link) -> bytes:
    """Return the link as a line of the chain's file."""
    return json.dumps(link.model_dump()).encode() + b"\n"


def chain_file_name(number: int) -> str:
    """Name of the chain of broadcast `number` of a debate (1, 2, ...)."""
    return f"chain-{number}.jsonl"
