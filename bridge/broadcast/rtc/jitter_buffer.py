"""From packets in any order to frames in order. Pure: time is passed in.

The stock buffer has no clock: one lost packet stays in the way until hundreds have piled up behind
it (notes/aiortc.md 0). Here a hole has a deadline, and a frame leaves with its marker packet
instead of with the first packet of the next frame.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol

from bridge.aiortc_inside.media import H264, VP8, MediaPacket
from bridge.broadcast.rtc.frames import EncodedFrame, is_keyframe
from bridge.broadcast.rtc.missing import MissingPackets
from bridge.broadcast.rtc.sequence import Unwrapper

VIDEO_DEADLINE: Final = 0.8
"""Seconds that a hole may hold up video: three repeats at 200 ms round trip."""
AUDIO_REORDER: Final = 0.06
"""Seconds that a hole may hold up audio: three packets. Then it is concealed."""

_MAX_DROPOUT: Final = 3000
"""Farther away than this a number is another numbering (RFC 3550 A.1)."""
_MAX_RECOVERABLE: Final = 250
"""A longer run of lost packets is an outage; a keyframe is cheaper than to resend it."""
_MAX_HELD: Final = 4096
"""Packets held: five times what 0.8 s of 8 Mb/s are."""
_KEYFRAME_PATIENCE: Final = 0.1
"""A hole this old is jumped over if a complete keyframe stands behind it."""
_ASK_AFTER: Final = 0.3
"""A hole this old gets a keyframe asked for: resending has had its chance."""


@dataclass(slots=True)
class BufferCounters:
    """What happened to the packets of one buffer."""

    late: int = 0
    """Came after they had been given up."""
    duplicates: int = 0
    lost: int = 0
    """Given up."""
    missed: int = 0
    """Did not come when their turn was: holes, whether filled later or not."""
    gated: int = 0
    """Complete frames dropped while waiting for a keyframe."""
    restarts: int = 0
    """Times the numbering began anew."""


class JitterBuffer(Protocol):
    """Packets of one SSRC in, frames in order out."""

    counters: BufferCounters

    def push(self, packet: MediaPacket, now: float) -> list[EncodedFrame]:
        """Take a packet; returns the frames that can leave now."""
        ...

    def poll(self, now: float) -> list[EncodedFrame]:
        """Return the frames that can leave because time has passed."""
        ...

    def peek_timestamp(self, timestamp: int) -> int | None:
        """Return a 32-bit RTP timestamp unwrapped as the frames' are; None before the first."""
        ...


class _Fit(Enum):
    NEW = "new"
    LATE = "late"
    DUPLICATE = "duplicate"
    STRANGE = "strange"
    RESTARTED = "restarted"


class _Window:
    """Packets by unwrapped sequence number, from `head` on."""

    def __init__(self) -> None:
        self.packets: dict[int, MediaPacket] = {}
        self.head = 0
        self.highest: int | None = None
        self._numbers = Unwrapper(16)
        self._strange: int | None = None

    def insert(self, packet: MediaPacket) -> tuple[_Fit, int]:
        """Place a packet; returns how it fits and its number.

        A number far off is believed when its successor follows it (RFC 3550 A.1): then the window
        is empty and begins with this packet.
        """
        number = self._numbers.peek(packet.sequence)
        if self.highest is None:
            return self._begin(packet, _Fit.NEW)
        if abs(number - self.highest) > _MAX_DROPOUT:
            if packet.sequence == self._strange:
                self.packets.clear()
                return self._begin(packet, _Fit.RESTARTED)
            self._strange = (packet.sequence + 1) & 0xFFFF
            return _Fit.STRANGE, number
        self._strange = None
        if number < self.head:
            return _Fit.LATE, number
        if number in self.packets:
            return _Fit.DUPLICATE, number
        self._numbers.unwrap(packet.sequence)
        self.packets[number] = packet
        self.highest = max(self.highest, number)
        return _Fit.NEW, number

    def _begin(self, packet: MediaPacket, fit: _Fit) -> tuple[_Fit, int]:
        self._strange = None
        self._numbers.restart()
        self.head = self.highest = number = self._numbers.unwrap(packet.sequence)
        self.packets[number] = packet
        return fit, number

    def advance(self, number: int) -> int:
        """Drop what is before `number` and begin there; returns how many had never come."""
        held = [key for key in self.packets if key < number]
        for key in held:
            del self.packets[key]
        absent = number - self.head - len(held)
        self.head = number
        return absent


class AudioJitterBuffer:
    """Puts packets back in order within `reorder` seconds; each packet is a frame."""

    def __init__(self, *, reorder: float = AUDIO_REORDER) -> None:
        self.counters = BufferCounters()
        self._reorder = reorder
        self._window = _Window()
        self._timestamps = Unwrapper(32)
        self._lost_before = 0

    def push(self, packet: MediaPacket, now: float) -> list[EncodedFrame]:
        """See JitterBuffer."""
        fit, _ = self._window.insert(packet)
        if fit is _Fit.LATE:
            self.counters.late += 1
        elif fit is _Fit.DUPLICATE:
            self.counters.duplicates += 1
        elif fit is _Fit.RESTARTED:
            self.counters.restarts += 1
        return self.poll(now)

    def poll(self, now: float) -> list[EncodedFrame]:
        """See JitterBuffer."""
        window = self._window
        frames: list[EncodedFrame] = []
        while window.packets:
            packet = window.packets.get(window.head)
            if packet is None:
                first = min(window.packets)
                if window.packets[first].arrival + self._reorder > now:
                    break
                self._skip_to(first)
                continue
            window.advance(window.head + 1)
            if packet.payload:
                frames.append(self._frame(packet))
        return frames

    def peek_timestamp(self, timestamp: int) -> int | None:
        """See JitterBuffer."""
        return None if self._timestamps.highest is None else self._timestamps.peek(timestamp)

    def _skip_to(self, number: int) -> None:
        absent = self._window.advance(number)
        self.counters.lost += absent
        self.counters.missed += absent
        self._lost_before += absent

    def _frame(self, packet: MediaPacket) -> EncodedFrame:
        lost_before, self._lost_before = self._lost_before, 0
        return EncodedFrame(
            codec=packet.codec,
            data=packet.payload,
            timestamp=self._timestamps.unwrap(packet.timestamp),
            clock_rate=packet.clock_rate,
            arrival=packet.arrival,
            keyframe=True,
            lost_before=lost_before,
        )


class VideoJitterBuffer:
    """Assembles frames; holds back what depends on something lost until a keyframe comes.

    Decoders do not report a missing reference (notes/aiortc.md 2), so the gate is here: after a
    loss no frame leaves before the next complete keyframe.
    """

    def __init__(self, *, deadline: float = VIDEO_DEADLINE) -> None:
        self.counters = BufferCounters()
        self.missing = MissingPackets()
        self._deadline = deadline
        self._window = _Window()
        self._timestamps = Unwrapper(32)
        self._scan = 0
        """First number not yet looked at for the frame at the head."""
        self._aligned = False
        """Whether the head is known to begin a frame."""
        self._gate_closed = True
        self._asking = False
        self._lost_before = 0

    @property
    def needs_keyframe(self) -> bool:
        """Whether the sender should be asked for a keyframe.

        Not for merely not having had one yet: a sender begins with one unasked.
        """
        return self._asking

    def require_keyframe(self) -> None:
        """Let nothing out before the next keyframe, and ask for it: the decoder lost track."""
        self._gate_closed = True
        self._asking = True

    def push(self, packet: MediaPacket, now: float) -> list[EncodedFrame]:
        """See JitterBuffer."""
        before = self._window.highest
        fit, number = self._window.insert(packet)
        if fit is _Fit.LATE:
            self.counters.late += 1
            return []
        if fit is _Fit.DUPLICATE:
            self.counters.duplicates += 1
            return []
        if fit is _Fit.STRANGE:
            return []
        if fit is _Fit.RESTARTED:
            self.counters.restarts += 1
            self.missing.clear()
            self._resume_at(number)
        elif before is None:
            self._scan = number
        elif number - before > _MAX_RECOVERABLE or len(self._window.packets) > _MAX_HELD:
            self._resume_at(number)
        else:
            self.missing.note(before + 1, number, now)
            self.counters.missed += max(0, number - before - 1)
        self.missing.found(number)
        return self.poll(now)

    def poll(self, now: float) -> list[EncodedFrame]:
        """See JitterBuffer."""
        frames: list[EncodedFrame] = []
        while True:
            self._align()
            end = self._frame_end()
            if end is not None:
                frame = self._take(end)
                if frame is not None:
                    frames.append(frame)
            elif not self._pass_hole(now):
                return frames

    def peek_timestamp(self, timestamp: int) -> int | None:
        """See JitterBuffer."""
        return None if self._timestamps.highest is None else self._timestamps.peek(timestamp)

    def _align(self) -> None:
        """Drop the rest of a frame whose beginning is unknown."""
        window = self._window
        while not self._aligned and (packet := window.packets.get(window.head)) is not None:
            if packet.begins_frame or is_keyframe(packet.codec, packet.payload):
                self._aligned = True
                return
            window.advance(window.head + 1)
            self._scan = window.head
            self._aligned = packet.marker
            self._close_gate()

    def _frame_end(self) -> int | None:
        """Return the number after the last packet of the frame at the head, once it is complete."""
        packets = self._window.packets
        first = packets.get(self._window.head)
        if first is None:
            return None
        while (packet := packets.get(self._scan)) is not None:
            if packet.timestamp != first.timestamp:
                return self._scan  # the marker was missing: padding, or a careless sender
            self._scan += 1
            if packet.marker:
                return self._scan
        return None

    def _take(self, end: int) -> EncodedFrame | None:
        window = self._window
        parts = [window.packets[number] for number in range(window.head, end)]
        window.advance(end)
        self._scan = end
        data = b"".join(part.payload for part in parts)
        if not data:
            return None
        first = parts[0]
        timestamp = self._timestamps.unwrap(first.timestamp)
        keyframe = is_keyframe(first.codec, data)
        if keyframe:
            self._gate_closed = self._asking = False
        elif self._gate_closed:
            self.counters.gated += 1
            self._asking = True
            return None
        lost_before, self._lost_before = self._lost_before, 0
        return EncodedFrame(
            codec=first.codec,
            data=data,
            timestamp=timestamp,
            clock_rate=first.clock_rate,
            arrival=min(part.arrival for part in parts),
            keyframe=keyframe,
            lost_before=lost_before,
        )

    def _pass_hole(self, now: float) -> bool:
        """Deal with the hole that is in the way; True if there is something new at the head."""
        window = self._window
        hole = window.head if window.head not in window.packets else self._scan
        age = self.missing.age(hole, now)
        if age is None:
            return False
        if age >= _KEYFRAME_PATIENCE and (keyframe := self._keyframe_after(hole)) is not None:
            self._skip_to(keyframe)
            self._aligned = True
            return True
        if age >= _ASK_AFTER:
            self._asking = True
        if age < self._deadline:
            return False
        self._skip_to(min(number for number in window.packets if number > hole))
        self._aligned = False
        self._close_gate()
        return True

    def _keyframe_after(self, hole: int) -> int | None:
        """First packet of the newest complete keyframe behind the hole."""
        packets = self._window.packets
        for start in sorted((number for number in packets if number > hole), reverse=True):
            first = packets[start]
            # VP8 says it in the first packet; in H.264 the parameter sets come first.
            if first.begins_frame and (first.codec == H264 or is_keyframe(VP8, first.payload)):
                payload = self._complete_from(start)
                if payload is not None and is_keyframe(first.codec, payload):
                    return start
        return None

    def _complete_from(self, start: int) -> bytes | None:
        packets = self._window.packets
        number, parts = start, []
        while (packet := packets.get(number)) is not None:
            if packet.timestamp != packets[start].timestamp:
                return None
            parts.append(packet.payload)
            if packet.marker:
                return b"".join(parts)
            number += 1
        return None

    def _skip_to(self, number: int) -> None:
        absent = self._window.advance(number)
        self.missing.forget_before(number)
        self.counters.lost += absent
        self._lost_before += absent
        self._scan = number

    def _resume_at(self, number: int) -> None:
        """Give up everything before `number`: an outage, or a new numbering."""
        self._skip_to(number)
        self._aligned = False
        self._close_gate()

    def _close_gate(self) -> None:
        self._gate_closed = True
        self._asking = True
