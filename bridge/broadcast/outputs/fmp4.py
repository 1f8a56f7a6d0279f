"""Fragmented MP4 (ISO/IEC 14496-12, -14, -15), written by hand: bytes in, bytes out.

Our own because a part must be cut exactly where the grid says, and libavformat cannot be told to
cut on demand through PyAV (note llhls 3.1).
There is no edit list: timestamps start at ORIGIN_SECONDS, so none is ever negative.
"""

import struct
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from bridge.broadcast.media.packets import (
    AUDIO_RATE,
    VIDEO_RATE,
    CodecParameters,
    EncodedPacket,
    TrackKind,
)

VIDEO_TRACK: Final = 1
AUDIO_TRACK: Final = 2

_MOVIE_RATE: Final = 1000
_UNITY_MATRIX: Final = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_UNDETERMINED_LANGUAGE: Final = 0x55C4
"""`und` in three times five bits."""
_TRACK_ENABLED_IN_MOVIE: Final = 0x3

_DEFAULT_BASE_IS_MOOF: Final = 0x020000
_TRUN_FLAGS: Final = 0x1 | 0x100 | 0x200 | 0x400
"""Data offset; per sample: duration, size, flags."""
_SYNC_SAMPLE: Final = 0x02000000
"""sample_depends_on = 2: needs no other sample."""
_DEPENDENT_SAMPLE: Final = 0x01010000
"""sample_depends_on = 1, sample_is_non_sync_sample = 1."""

_PRIMARIES_BT709: Final = 1


def init_segment(parameters: CodecParameters, *, picture: bool = True) -> bytes:
    """`ftyp` and `moov` with a video track (90 kHz) and an audio track (48 kHz), without samples.

    Without `picture` the audio track is alone.

    Brand iso6, which RFC 8216bis 3.1.2 asks for. Not `cmfc`: a CMAF file has one track only.
    """
    ftyp = _box("ftyp", b"iso6", struct.pack(">I", 0), b"iso6", b"mp41")
    traks = {AUDIO_TRACK: _audio_trak(parameters)}
    if picture:
        traks = {VIDEO_TRACK: _video_trak(parameters), **traks}
    return ftyp + _box("moov", _mvhd(), *traks.values(), _mvex(*traks))


def fragment(
    sequence: int, video: Sequence[EncodedPacket], audio: Sequence[EncodedPacket]
) -> bytes:
    """One `moof` + `mdat` of the given packets; a track without packets is left out.

    `sequence` grows from 1. A sample lasts until the next one begins; the last as long
    as its packet says.
    """
    tracks = [
        (track, packets)
        for track, packets in ((VIDEO_TRACK, video), (AUDIO_TRACK, audio))
        if packets
    ]
    # Offsets in trun count from the start of the moof, whose length they do not change.
    length = len(_moof(sequence, tracks, 0))
    payload = [packet.data for _, packets in tracks for packet in packets]
    return _moof(sequence, tracks, length + 8) + _box("mdat", *payload)


def _box(kind: str, *content: bytes) -> bytes:
    return b"".join((struct.pack(">I", 8 + sum(map(len, content))), kind.encode("ascii"), *content))


def _full_box(kind: str, version: int, flags: int, *content: bytes) -> bytes:
    return _box(kind, struct.pack(">I", version << 24 | flags), *content)


def _mvhd() -> bytes:
    body = struct.pack(">IIII", 0, 0, _MOVIE_RATE, 0)
    body += struct.pack(">IH10x", 0x10000, 0x100)
    return _full_box("mvhd", 0, 0, body, _UNITY_MATRIX, bytes(24), struct.pack(">I", 3))


def _tkhd(track: int, *, volume: int, width: int = 0, height: int = 0) -> bytes:
    body = struct.pack(">IIIII", 0, 0, track, 0, 0)
    body += struct.pack(">8xHHHH", 0, 0, volume, 0)
    size = struct.pack(">II", width << 16, height << 16)
    return _full_box("tkhd", 0, _TRACK_ENABLED_IN_MOVIE, body, _UNITY_MATRIX, size)


def _mdia(rate: int, handler: bytes, name: bytes, media_header: bytes, entry: bytes) -> bytes:
    mdhd = _full_box("mdhd", 0, 0, struct.pack(">IIIIHH", 0, 0, rate, 0, _UNDETERMINED_LANGUAGE, 0))
    hdlr = _full_box("hdlr", 0, 0, bytes(4), handler, bytes(12), name + b"\0")
    dref = _full_box("dref", 0, 0, struct.pack(">I", 1), _full_box("url ", 0, 1))
    stbl = _box(
        "stbl",
        _full_box("stsd", 0, 0, struct.pack(">I", 1), entry),
        _full_box("stts", 0, 0, bytes(4)),
        _full_box("stsc", 0, 0, bytes(4)),
        _full_box("stsz", 0, 0, bytes(8)),
        _full_box("stco", 0, 0, bytes(4)),
    )
    return _box("mdia", mdhd, hdlr, _box("minf", media_header, _box("dinf", dref), stbl))


def _video_trak(parameters: CodecParameters) -> bytes:
    width, height = parameters.width, parameters.height
    visual = struct.pack(">6xH16xHHIIIH32xHh", 1, width, height, 72 << 16, 72 << 16, 0, 1, 24, -1)
    colour = struct.pack(">HHHB", _PRIMARIES_BT709, _PRIMARIES_BT709, _PRIMARIES_BT709, 0)
    entry = _box(
        "avc1",
        visual,
        _box("avcC", parameters.avc_config),
        _box("colr", b"nclx", colour),
        _box("pasp", struct.pack(">II", 1, 1)),
    )
    vmhd = _full_box("vmhd", 0, 1, bytes(8))
    return _box(
        "trak",
        _tkhd(VIDEO_TRACK, volume=0, width=width, height=height),
        _mdia(VIDEO_RATE, b"vide", b"Programme picture", vmhd, entry),
    )


def _audio_trak(parameters: CodecParameters) -> bytes:
    sound = struct.pack(">6xH8xHH4xI", 1, parameters.channels, 16, parameters.sample_rate << 16)
    entry = _box("mp4a", sound, _esds(parameters))
    smhd = _full_box("smhd", 0, 0, bytes(4))
    return _box(
        "trak",
        _tkhd(AUDIO_TRACK, volume=0x100),
        _mdia(AUDIO_RATE, b"soun", b"Programme sound", smhd, entry),
    )


def _esds(parameters: CodecParameters) -> bytes:
    """Elementary stream descriptor (ISO/IEC 14496-1 7.2.6): AAC, object type 0x40."""
    rate = parameters.audio_bit_rate
    specific = _descriptor(0x05, parameters.audio_config)
    audio_stream = 0x05 << 2 | 1
    decoder = struct.pack(">BB3xII", 0x40, audio_stream, rate, rate) + specific
    sync_layer = _descriptor(0x06, b"\x02")
    content = struct.pack(">HB", AUDIO_TRACK, 0) + _descriptor(0x04, decoder) + sync_layer
    return _full_box("esds", 0, 0, _descriptor(0x03, content))


def _descriptor(tag: int, content: bytes) -> bytes:
    """Tag, length in seven-bit groups (always four, as most writers do), content."""
    size = len(content)
    groups = bytes((size >> shift & 0x7F) | (0x80 if shift else 0) for shift in (21, 14, 7, 0))
    return bytes((tag,)) + groups + content


def _mvex(*tracks: int) -> bytes:
    return _box(
        "mvex",
        *(_full_box("trex", 0, 0, struct.pack(">IIIII", track, 1, 0, 0, 0)) for track in tracks),
    )


def _moof(
    sequence: int, tracks: Sequence[tuple[int, Sequence[EncodedPacket]]], data_offset: int
) -> bytes:
    runs = []
    for track, packets in tracks:
        runs.append(_traf(track, packets, data_offset))
        data_offset += sum(len(packet.data) for packet in packets)
    mfhd = _full_box("mfhd", 0, 0, struct.pack(">I", sequence))
    return _box("moof", mfhd, *runs)


def _traf(track: int, packets: Sequence[EncodedPacket], data_offset: int) -> bytes:
    tfhd = _full_box("tfhd", 0, _DEFAULT_BASE_IS_MOOF, struct.pack(">I", track))
    tfdt = _full_box("tfdt", 1, 0, struct.pack(">Q", packets[0].pts))
    samples = [
        struct.pack(">III", duration, len(packet.data), _sample_flags(packet))
        for packet, duration in zip(packets, _durations(packets), strict=True)
    ]
    head = struct.pack(">Ii", len(packets), data_offset)
    return _box("traf", tfhd, tfdt, _full_box("trun", 0, _TRUN_FLAGS, head, *samples))


def _durations(packets: Sequence[EncodedPacket]) -> list[int]:
    gaps = [later.pts - packet.pts for packet, later in pairwise(packets)]
    return [*gaps, packets[-1].duration]


def _sample_flags(packet: EncodedPacket) -> int:
    if packet.keyframe or packet.kind is TrackKind.AUDIO:
        return _SYNC_SAMPLE
    return _DEPENDENT_SAMPLE
