"""Seals a finished recording: before its parts are dropped, what they were is written down."""

import hashlib
import itertools
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import ValidationError

from bridge.protocol import boxes
from bridge.protocol.chain import Chain, Link, chain_file_name
from bridge.protocol.events import events_file_name
from bridge.protocol.samples import fragment_extents
from bridge.server.recordings.finisher import part_files
from bridge.server.recordings.journal import Journal, sync_folder
from bridge.server.recordings.manifest import (
    MANIFEST_FILE,
    Manifest,
    Seal,
    SealedFragment,
    SealedPart,
)
from bridge.server.recordings.model import part_number

logger = logging.getLogger(__name__)

_PIECE: Final = 1 << 20
_SEALED: Final = ("programme.mp4", "events.json", "*.mkv", "isolated-*.json")


def seal(folder: Path, entry: Journal, key: Ed25519PrivateKey) -> None:
    """Write the manifest of a recording whose parts are still there. Blocking; idempotent.

    Raises OSError, and InputError for parts that are none of ours.
    """
    made = Seal(
        recording=entry.id,
        room=entry.room,
        motion=entry.motion,
        started_at=entry.started_at,
        parts=tuple(_part(folder, path) for path in part_files(folder)),
        files={path.name: hash_file(path) for path in _finished(folder)},
    )
    new = folder / f"{MANIFEST_FILE}.new"
    with new.open("wb") as file:
        file.write(Manifest.sign(made, key).model_dump_json().encode())
        file.flush()
        os.fsync(file.fileno())
    new.replace(folder / MANIFEST_FILE)
    sync_folder(folder)


def hash_file(path: Path) -> str:
    """SHA-256 of a file, hexadecimal. Blocking."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True, slots=True)
class _Chained:
    head: str
    whole: bool


def _finished(folder: Path) -> Iterator[Path]:
    for pattern in _SEALED:
        yield from sorted(folder.glob(pattern))


def _part(folder: Path, path: Path) -> SealedPart:
    number = part_number(path.name) or 0
    chained = _check_chain(folder, path, number)
    if not chained.whole:
        logger.warning("recordings: %s/%s does not fit its chain", folder.name, path.name)
    return SealedPart(
        number=number,
        chain_head=chained.head,
        chain_whole=chained.whole,
        fragments=tuple(_fragments(path)),
    )


def _fragments(path: Path) -> Iterator[SealedFragment]:
    """Hash each moof with its mdat, and the samples of each track in it."""
    whole = [box for box in boxes.file_boxes(path) if box.kind in {"moof", "mdat"}]
    pairs = [(a, b) for a, b in itertools.pairwise(whole) if (a.kind, b.kind) == ("moof", "mdat")]
    starts = [span.start for span in boxes.fragment_starts(path)]
    starts.append(max((span.end for span in boxes.fragmented_spans(path)), default=Fraction(0)))
    with path.open("rb") as file:
        for (moof, mdat), extents, (begin, end) in zip(
            pairs, fragment_extents(path), itertools.pairwise(starts), strict=False
        ):
            yield SealedFragment(
                seconds=round(float(end - begin), 3),
                sha256=_digest(file, moof.start, mdat.end - moof.start),
                samples={
                    kind: (length, _digest(file, offset, length))
                    for kind, (offset, length) in extents.items()
                },
            )


def _digest(file: BinaryIO, offset: int, length: int) -> str:
    file.seek(offset)
    return hashlib.sha256(file.read(length)).hexdigest()


def _check_chain(folder: Path, path: Path, number: int) -> _Chained:
    """Follow the chain along the files it is about, all of which it must cover without a gap.

    A crash may have parted a chain from the last thing written, on either side: one fragment or
    one line of events at the end may lack its link, and one link its fragment. Nothing more.
    """
    chain, beyond = Chain(), 0
    events = folder / events_file_name(number)
    ends = {"event": events.stat().st_size if events.exists() else 0, "part": path.stat().st_size}
    covered = dict.fromkeys(ends, 0)
    with path.open("rb") as parts, _opened(events) as lines:
        for link in _links(folder / chain_file_name(number)):
            kind, file = ("event", lines) if link.of == "event" else ("part", parts)
            if link.offset + link.length > ends[kind]:
                beyond += 1
                continue
            file.seek(link.offset)
            made = chain.add(link.of, link.offset, file.read(link.length))
            if made != link or link.offset != covered[kind]:
                return _Chained(chain.head.hex(), whole=False)
            covered[kind] += link.length
        lines.seek(covered["event"])
        unlinked = lines.read().count(b"\n")
    left = [box for box in boxes.file_boxes(path) if box.start >= covered["part"]]
    unlinked += sum(box.kind == "moof" for box in left)
    return _Chained(chain.head.hex(), whole=covered["part"] > 0 and unlinked + beyond <= 1)


def _opened(path: Path) -> BinaryIO:
    return path.open("rb") if path.exists() else Path(os.devnull).open("rb")


def _links(path: Path) -> Iterator[Link]:
    if not path.exists():
        return
    with path.open("rb") as file:
        for line in itertools.islice(file, _PIECE):
            try:
                yield Link.model_validate_json(line)
            except ValidationError:
                return
