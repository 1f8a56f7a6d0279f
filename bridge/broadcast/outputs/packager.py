"""Cuts the programme into parts on its pts grid. Pure: packets in, parts out.

HLS and the recorder own one packager each. A part costs some 0.3 ms, and sharing one would let an
overflow of the 2 s that HLS may be late tear the recording, which may be 10 s late.
"""

from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

from bridge.broadcast.media.packets import (
    AUDIO_RATE,
    SOUND,
    SOURCE,
    VIDEO_RATE,
    EncodedPacket,
    Grid,
    TrackKind,
)
from bridge.broadcast.outputs import fmp4

_MAX_HELD_AUDIO: Final = 10 * AUDIO_RATE // 1024
"""Ten seconds of AAC frames without a single picture: far beyond any stall; oldest dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What the programme has of frames [k * part_frames, (k+1) * part_frames).

    Numbers only grow. One that is left out had neither picture nor sound.
    """

    number: int
    data: bytes
    """One `moof` + `mdat` of each rendition, one after the other."""
    keyframe: bool
    """Whether it begins with a picture that decodes by itself."""
    first_frame: int
    """Nominal first frame of the part on the grid; that tick may have been skipped."""


class Packager:
    """Starts at the first keyframe that opens a segment; what comes before is left out.

    A part is complete with its last frame, or when a frame of a later part shows that the missing
    ticks were skipped. Sound goes into the part that is open when it arrives. Pictures of the
    renditions come in the order of `renditions`, tick by tick. Not thread-safe.
    """

    def __init__(self, grid: Grid, renditions: Sequence[str] = (SOURCE,)) -> None:
        self._grid = grid
        self._renditions = tuple(renditions)
        *_, self._last = (name for name in renditions if name != SOUND)
        self._open: int | None = None
        self._start: Fraction | None = None
        self._video: dict[str, list[EncodedPacket]] = defaultdict(list)
        self._audio: deque[EncodedPacket] = deque(maxlen=_MAX_HELD_AUDIO)
        self.late = 0
        """Pictures of a part that was complete already; they can only be dropped."""

    def put(self, packet: EncodedPacket) -> list[Part]:
        """Take a packet; returns the parts that it completes, mostly none."""
        if packet.kind is TrackKind.AUDIO:
            if self._start is None or _end(packet) > self._start:
                self._audio.append(packet)
            return []
        frame = self._grid.frame(packet.pts)
        number = self._grid.part(frame)
        if self._open is None and not self._begin(packet, number):
            return []
        parts = self._close_before(number)
        if self._open is not None and number < self._open:
            self.late += 1
            return parts
        self._video[packet.rendition].append(packet)
        if packet.rendition == self._last and (frame + 1) % self._grid.part_frames == 0:
            self._stretch_last_picture()
            parts += self._close(number, self._take_audio())
        return parts

    def flush(self) -> list[Part]:
        """Complete what is open, at the end of the programme, which is its last picture's.

        Sound alone after that, an encoder's tail, would open a segment that nobody can see.
        """
        if self._open is None or not self._video:
            return []
        return self._close(self._open, self._take_audio())

    def _begin(self, packet: EncodedPacket, number: int) -> bool:
        per_segment = self._grid.segment_frames // self._grid.part_frames
        if not packet.keyframe or packet.rendition != SOURCE or number % per_segment:
            return False
        self._open = number
        # Sound that is over before the first picture would only make the file begin black.
        self._start = packet.time
        while self._audio and _end(self._audio[0]) <= self._start:
            self._audio.popleft()
        return True

    def _close_before(self, number: int) -> list[Part]:
        """Complete every part before `number`, each with the sound of its own time."""
        parts: list[Part] = []
        while self._open is not None and self._open < number:
            end = Fraction((self._open + 1) * self._grid.part_frames, self._grid.fps)
            self._stretch_last_picture()
            parts += self._close(self._open, self._take_audio(until=end))
        return parts

    def _take_audio(self, until: Fraction | None = None) -> list[EncodedPacket]:
        """Take the sound that begins before `until` (programme seconds), or all there is."""
        taken = []
        while self._audio and (until is None or self._audio[0].time < until):
            taken.append(self._audio.popleft())
        return taken

    def _stretch_last_picture(self) -> None:
        """Let it last to the end of the part: the ticks after it were skipped, so it stood."""
        if self._open is None:
            return
        end = self._grid.pts((self._open + 1) * self._grid.part_frames)
        for packets in self._video.values():
            packets[-1] = replace(packets[-1], duration=end - packets[-1].pts)

    def _close(self, number: int, audio: list[EncodedPacket]) -> list[Part]:
        video, self._video, self._open = self._video, defaultdict(list), number + 1
        if not video and not audio:
            return []
        # From the number on: the part tells by itself which it is (bridge.protocol.upload).
        fragments = [
            fmp4.fragment(number + 1, video.get(name, ()), audio) for name in self._renditions
        ]
        source = video.get(SOURCE)
        return [
            Part(
                number=number,
                data=b"".join(fragments),
                keyframe=source is not None and source[0].keyframe,
                first_frame=number * self._grid.part_frames,
            )
        ]


def _end(packet: EncodedPacket) -> Fraction:
    rate = VIDEO_RATE if packet.kind is TrackKind.VIDEO else AUDIO_RATE
    return packet.time + Fraction(packet.duration, rate)
