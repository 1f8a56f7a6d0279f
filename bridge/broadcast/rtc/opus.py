"""Opus by way of the libopus that comes with PyAV: its concealment and FEC, which FFmpeg hides.

Measured SNR in lost 20 ms frames: silence 0 dB, concealment 6.8 dB, in-band FEC 13.2 dB; 20 us for
a packet (notes/aiortc.md 2).
"""

import ctypes
import ctypes.util
from functools import cache
from pathlib import Path
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray

from bridge.errors import SetupError

SAMPLE_RATE: Final = 48_000
_CHANNELS: Final = 2
_MAX_FRAME: Final = 5760
"""Samples of the longest packet, 120 ms (RFC 6716 3.1)."""
_SMALLEST: Final = 120
"""Samples; libopus conceals in multiples of 2.5 ms."""


class OpusPacketError(ValueError):
    """A packet that is not Opus. Stays within this package: its only reader conceals it."""


@cache
def _library() -> ctypes.CDLL:
    """Load libopus. Raises SetupError when there is none."""
    wheel = Path(av.__file__).parent.parent / "av.libs"
    candidates = [str(path) for path in sorted(wheel.glob("libopus-*.so*"))]
    # PyAV built from source links the system's library.
    system = ctypes.util.find_library("opus")
    for name in [*candidates, *([system] if system else [])]:
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        _declare(library)
        return library
    message = "libopus is missing: neither beside PyAV nor in the system. Run `make setup`."
    raise SetupError(message)


def require_library() -> None:
    """Raise SetupError, in words, unless libopus can be loaded. Call before there is media."""
    _library()


def _declare(library: ctypes.CDLL) -> None:
    library.opus_decoder_create.restype = ctypes.c_void_p
    library.opus_decoder_create.argtypes = (
        ctypes.c_int32,
        ctypes.c_int,
        ctypes.POINTER(ctypes.c_int),
    )
    library.opus_decoder_destroy.restype = None
    library.opus_decoder_destroy.argtypes = (ctypes.c_void_p,)
    library.opus_decode_float.restype = ctypes.c_int
    library.opus_decode_float.argtypes = (
        ctypes.c_void_p,
        ctypes.c_char_p,
        ctypes.c_int32,
        ctypes.POINTER(ctypes.c_float),
        ctypes.c_int,
        ctypes.c_int,
    )
    library.opus_packet_get_nb_samples.restype = ctypes.c_int
    library.opus_packet_get_nb_samples.argtypes = (
        ctypes.c_char_p,
        ctypes.c_int32,
        ctypes.c_int32,
    )


def packet_samples(packet: bytes) -> int:
    """Return the samples at 48 kHz that the packet stands for. Raises OpusPacketError."""
    count = _library().opus_packet_get_nb_samples(packet, len(packet), SAMPLE_RATE)
    if count <= 0:
        message = f"not an Opus packet ({count})"
        raise OpusPacketError(message)
    return int(count)


class OpusDecoder:
    """A 48 kHz stereo decoder. One thread at a time. Raises SetupError without libopus."""

    def __init__(self) -> None:
        self._library = _library()
        error = ctypes.c_int()
        self._state = self._library.opus_decoder_create(SAMPLE_RATE, _CHANNELS, ctypes.byref(error))
        if not self._state:
            message = f"libopus refuses to make a decoder (error {error.value})"
            raise SetupError(message)
        self._pcm = np.empty((_MAX_FRAME, _CHANNELS), np.float32)
        self._pointer = self._pcm.ctypes.data_as(ctypes.POINTER(ctypes.c_float))

    def decode(self, packet: bytes) -> NDArray[np.float32]:
        """Return the samples of `packet`, shape (2, n). Raises OpusPacketError."""
        return self._run(packet, _MAX_FRAME, fec=False)

    def recover(self, following: bytes, samples: int) -> NDArray[np.float32]:
        """Return the lost `samples` before `following`, from its in-band FEC if it has any."""
        return self._run(following, _whole(samples), fec=True)

    def conceal(self, samples: int) -> NDArray[np.float32]:
        """Return `samples` (rounded down to 2.5 ms) that go on as the last ones did."""
        return self._run(None, _whole(samples), fec=False)

    def close(self) -> None:
        """Free the decoder. Idempotent."""
        state, self._state = self._state, None
        if state:
            self._library.opus_decoder_destroy(state)

    def _run(self, packet: bytes | None, samples: int, *, fec: bool) -> NDArray[np.float32]:
        size = len(packet) if packet else 0
        count = self._library.opus_decode_float(
            self._state, packet, size, self._pointer, samples, int(fec)
        )
        if count < 0:
            message = f"libopus refuses a packet of {size} bytes ({count})"
            raise OpusPacketError(message)
        return self._pcm[:count].T.copy()


def _whole(samples: int) -> int:
    return max(_SMALLEST, min(samples, _MAX_FRAME) // _SMALLEST * _SMALLEST)
