"""Makes bad inputs out of good ones, the same ones from the same seed."""

import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

FOLDER = Path(__file__).parent
_EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)
_WORDS = (
    "", "0", "-1", "1", "65535", "65536", "4294967296", "9" * 40, "a" * 300, "\x00", "é", "%s",
    "..", "IN", "IP4", "IP6", "0.0.0.0", "127.0.0.1", "::1", "224.0.0.1", "255.255.255.255",
    "fe80::1", "x.local", "udp", "tcp", "UDP", "host", "srflx", "relay", "typ", "a=", "m=", ":",
    "/", " ",
    "nan", "1e309", "0x10", "VP8/90000", "H264/90000", "opus/48000/2", "apt=", "-" * 20,
)  # fmt: skip


class Mutator:
    """Random changes. Pure: what comes depends on the seed and on the order of calls."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._random = random.Random(seed)

    def packets(self, good: Sequence[bytes], count: int) -> Iterator[bytes]:
        """Yield `count` datagrams, each one of `good` with one to four changes."""
        for _ in range(count):
            data = bytearray(self._random.choice(good))
            for _ in range(self._random.choice((1, 1, 2, 4))):
                change = self._random.choice(self._changes)
                data = change(self, data, self._random.choice(good))
            yield bytes(data[:1500])

    def texts(self, good: Sequence[str], count: int) -> Iterator[str]:
        """Yield `count` texts, each one of `good` with one to four changes in lines or words."""
        for _ in range(count):
            text = self._random.choice(good)
            for _ in range(self._random.choice((1, 1, 2, 4))):
                text = self._change_text(text)
            yield text

    def _place(self, data: bytearray) -> int:
        # Headers decide; most changes go there.
        end = len(data) if self._random.random() < 0.4 else min(len(data), 24)
        return self._random.randrange(end) if end else 0

    def _flip(self, data: bytearray, _other: bytes) -> bytearray:
        if data:
            data[self._place(data)] ^= 1 << self._random.randrange(8)
        return data

    def _overwrite(self, data: bytearray, _other: bytes) -> bytearray:
        at, width = self._place(data), self._random.choice((1, 2, 4))
        value = self._random.choice(_EXTREMES) & ((1 << 8 * width) - 1)
        data[at : at + width] = value.to_bytes(width, "big")
        return data

    def _cut(self, data: bytearray, _other: bytes) -> bytearray:
        return data[: self._random.randrange(len(data) + 1)]

    def _remove(self, data: bytearray, _other: bytes) -> bytearray:
        at = self._place(data)
        del data[at : at + self._random.randrange(1, 9)]
        return data

    def _insert(self, data: bytearray, _other: bytes) -> bytearray:
        at = self._place(data)
        data[at:at] = self._random.randbytes(self._random.choice((1, 2, 4, 40, 400)))
        return data

    def _splice(self, data: bytearray, other: bytes) -> bytearray:
        return data[: self._place(data)] + other[self._random.randrange(len(other) + 1) :]

    def _noise(self, data: bytearray, _other: bytes) -> bytearray:
        return data[:2] + self._random.randbytes(self._random.randrange(200))

    _changes: tuple[Callable[["Mutator", bytearray, bytes], bytearray], ...] = (
        _flip, _flip, _overwrite, _overwrite, _cut, _remove, _insert, _splice, _noise,
    )  # fmt: skip

    def _change_text(self, text: str) -> str:
        rng = self._random
        lines = text.split("\r\n")
        at = rng.randrange(len(lines))
        kind = rng.randrange(8)
        if kind == 0:
            del lines[at]
        elif kind == 1:
            lines.insert(rng.randrange(len(lines)), lines[at])
        elif kind == 2:
            other = rng.randrange(len(lines))
            lines[at], lines[other] = lines[other], lines[at]
        elif kind == 3:
            lines[at] = lines[at][: rng.randrange(len(lines[at]) + 1)]
        elif kind == 4:
            lines[at:at] = [lines[at]] * rng.choice((2, 40, 500))
        else:
            words = lines[at].split(" ")
            words[rng.randrange(len(words))] = rng.choice(_WORDS)
            lines[at] = " ".join(words)
        return "\r\n".join(lines)


def packet_seeds(kind: str) -> list[bytes]:
    """Real datagrams of a kind: rtp, rtcp or stun; one in hexadecimal digits per line."""
    return [bytes.fromhex(line) for line in (FOLDER / "seeds" / f"{kind}.hex").read_text().split()]


def sdp_seeds() -> list[str]:
    """Real offers of browsers and of a headless debater."""
    paths = sorted((FOLDER / "seeds").glob("*.sdp"))
    return ["\r\n".join(path.read_text().splitlines()) + "\r\n" for path in paths]


def candidate_seeds() -> list[str]:
    """Real candidates, one per line."""
    return (FOLDER / "seeds" / "candidates.txt").read_text().splitlines()


def found(kind: str) -> list[bytes]:
    """What broke something once; one in hexadecimal digits per line."""
    path = FOLDER / "found" / f"{kind}.hex"
    return [bytes.fromhex(line) for line in path.read_text().split()] if path.exists() else []
