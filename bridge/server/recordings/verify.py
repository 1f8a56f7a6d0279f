"""Says whether a recording is what it was when it was made, and if not, from which second on."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from bridge.errors import InputError
from bridge.protocol.samples import Extent, file_extents
from bridge.server.recordings.manifest import MANIFEST_FILE, Manifest, SealedFragment
from bridge.server.recordings.model import PROGRAMME_FILE
from bridge.server.recordings.seal import hash_file


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is to be said of a file."""

    unaltered: bool
    signer: str
    """Fingerprint of the key that signed the manifest."""
    words: str


def verify(path: Path, manifest: Path | None = None, signer: str | None = None) -> Finding:
    """Compare a file with the manifest beside it. Blocking.

    `signer` is the fingerprint that is insisted on. Raises InputError when there is nothing to
    compare: no file, no manifest, or one that is not about this file.
    """
    if not path.is_file():
        message = f"{path} is no file"
        raise InputError(message, code="verify")
    known = Manifest.load(manifest or path.parent / MANIFEST_FILE)
    if not known.is_signed():
        return _finding(known, "the manifest was altered: its signature does not fit")
    if signer is not None and signer != known.fingerprint:
        return _finding(known, f"the manifest is signed by {known.fingerprint}, not by {signer}")
    return _compare(path, known)


def _compare(path: Path, known: Manifest) -> Finding:
    name = _sealed_name(path, known)
    if name is not None and known.seal.files[name] == hash_file(path):
        broken = [part.number for part in known.seal.parts if not part.chain_whole]
        if broken:
            words = f"its chain does not cover it: altered before it was sealed: parts {broken}"
            return _finding(known, words)
        words = f"unaltered since {name} was recorded"
        return Finding(unaltered=True, signer=known.fingerprint, words=words)
    if path.suffix != ".mp4":
        return _finding(known, "it was altered, or it is not of this recording")
    try:
        at = _first_difference(path, known)
    except (InputError, OSError):
        return _finding(known, "it was altered: its index cannot be read")
    if at is None:
        return _finding(known, "it was altered, but pictures and sound are those recorded")
    return _finding(known, f"it was altered: it differs from {_clock(at)} on")


def _sealed_name(path: Path, known: Manifest) -> str | None:
    """Return which of the sealed files this must be: downloads of the programme are renamed."""
    if path.name in known.seal.files:
        return path.name
    return PROGRAMME_FILE if path.suffix == ".mp4" and PROGRAMME_FILE in known.seal.files else None


def _first_difference(path: Path, known: Manifest) -> float | None:
    """Second of the first fragment whose samples are not in the file; None when all are."""
    extents = {kind: iter(each) for kind, each in file_extents(path).items()}
    at = 0.0
    with path.open("rb") as file:
        for fragment in (each for part in known.seal.parts for each in part.fragments):
            if not _holds(file, fragment, extents):
                return at
            at += fragment.seconds
        rest = [extent for each in extents.values() for extent in each]
    return at if rest else None


def _holds(file: BinaryIO, fragment: SealedFragment, extents: dict[str, Iterator[Extent]]) -> bool:
    """Whether the next samples of the file are this fragment's."""
    for kind, (length, digest) in fragment.samples.items():
        found, left = hashlib.sha256(), length
        while left > 0:
            extent = next(extents.get(kind, iter(())), None)
            if extent is None:
                return False
            file.seek(extent[0])
            found.update(file.read(extent[1]))
            left -= extent[1]
        if found.hexdigest() != digest:
            return False
    return True


def _finding(known: Manifest, words: str) -> Finding:
    return Finding(unaltered=False, signer=known.fingerprint, words=words)


def _clock(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
