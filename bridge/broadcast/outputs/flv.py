"""FLV tags (Adobe Video File Format Specification 10.1, annex E) of H.264 and AAC. Pure.

What an RTMP server expects first, in this order: onMetaData, then the AVC and AAC sequence
headers, then a keyframe at timestamp 0.
"""

import struct
from fractions import Fraction
from typing import Final

from bridge.broadcast.media.packets import CodecParameters, EncodedPacket, TrackKind

_AUDIO_TAG: Final = 8
_VIDEO_TAG: Final = 9
_SCRIPT_TAG: Final = 18
_HAS_AUDIO_AND_VIDEO: Final = 0x05

_AVC: Final = 7
_KEY_FRAME: Final = 1
_INTER_FRAME: Final = 2
_AAC: Final = 10
_AAC_SOUND_HEADER: Final = _AAC << 4 | 3 << 2 | 1 << 1 | 1
"""For AAC always "44 kHz, 16 bit, stereo": the truth is in the AudioSpecificConfig (E.4.2.1)."""
_SEQUENCE_HEADER: Final = 0
_RAW: Final = 1
_MAX_TIMESTAMP: Final = 0xFFFFFFFF

_AMF_NUMBER: Final = 0
_AMF_BOOLEAN: Final = 1
_AMF_STRING: Final = 2
_AMF_ECMA_ARRAY: Final = 8
_AMF_OBJECT_END: Final = b"\x00\x00\x09"


def header(parameters: CodecParameters, encoder: str) -> bytes:
    """File header, onMetaData and both sequence headers: what every connection begins with."""
    file_header = b"FLV\x01" + bytes((_HAS_AUDIO_AND_VIDEO,)) + struct.pack(">II", 9, 0)
    video = bytes((_KEY_FRAME << 4 | _AVC, _SEQUENCE_HEADER, 0, 0, 0)) + parameters.avc_config
    audio = bytes((_AAC_SOUND_HEADER, _SEQUENCE_HEADER)) + parameters.audio_config
    return b"".join(
        (
            file_header,
            _tag(_SCRIPT_TAG, 0, _metadata(parameters, encoder)),
            _tag(_VIDEO_TAG, 0, video),
            _tag(_AUDIO_TAG, 0, audio),
        )
    )


def tag(packet: EncodedPacket, start: Fraction) -> bytes:
    """One packet; `start` is the programme time that becomes timestamp 0.

    A packet from before `start` gets 0 too: RTMP knows no negative time. Past 2^32 ms (49 days)
    timestamps wrap, as RTMP's do.
    """
    milliseconds = max(0, round((packet.time - start) * 1000)) & _MAX_TIMESTAMP
    if packet.kind is TrackKind.AUDIO:
        return _tag(_AUDIO_TAG, milliseconds, bytes((_AAC_SOUND_HEADER, _RAW)) + packet.data)
    frame = _KEY_FRAME if packet.keyframe else _INTER_FRAME
    # Composition time 0: there are no B-frames.
    return _tag(_VIDEO_TAG, milliseconds, bytes((frame << 4 | _AVC, _RAW, 0, 0, 0)) + packet.data)


def _tag(kind: int, milliseconds: int, body: bytes) -> bytes:
    low, extended = milliseconds & 0xFFFFFF, milliseconds >> 24
    head = struct.pack(">BBHBHB3x", kind, len(body) >> 16, len(body) & 0xFFFF,
                       low >> 16, low & 0xFFFF, extended)  # fmt: skip
    return head + body + struct.pack(">I", len(head) + len(body))


def _metadata(parameters: CodecParameters, encoder: str) -> bytes:
    values: dict[str, float | bool | str] = {
        "width": float(parameters.width),
        "height": float(parameters.height),
        "framerate": float(parameters.fps),
        "videocodecid": float(_AVC),
        "videodatarate": parameters.video_bit_rate / 1000,
        "audiocodecid": float(_AAC),
        "audiodatarate": parameters.audio_bit_rate / 1000,
        "audiosamplerate": float(parameters.sample_rate),
        "audiosamplesize": 16.0,
        "stereo": parameters.channels == 2,
        "encoder": encoder,
    }
    properties = b"".join(_amf_key(key) + _amf(value) for key, value in values.items())
    array = bytes((_AMF_ECMA_ARRAY,)) + struct.pack(">I", len(values)) + properties
    return _amf("onMetaData") + array + _AMF_OBJECT_END


def _amf_key(text: str) -> bytes:
    data = text.encode()
    return struct.pack(">H", len(data)) + data


def _amf(value: float | bool | str) -> bytes:
    if isinstance(value, bool):
        return bytes((_AMF_BOOLEAN, value))
    if isinstance(value, str):
        return bytes((_AMF_STRING,)) + _amf_key(value)
    return bytes((_AMF_NUMBER,)) + struct.pack(">d", value)
