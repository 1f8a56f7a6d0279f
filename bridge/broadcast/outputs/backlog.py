"""Which part the origin gets next, and when a session of uploads must be given up. Pure."""

import math
from collections import deque
from typing import Final

from bridge.broadcast.media.packets import Grid
from bridge.broadcast.outputs.packager import Part

_MOST_SECONDS: Final = 2
"""A spectator plays some 1.5 s behind live; parts later than this only delay the newer ones."""


class Backlog:
    """Parts waiting for their upload, in order and without a hole. Loop-side only.

    `session` counts up each time the parts to come cannot follow those already sent: something was
    lost, or the origin is more than two seconds behind. The next part is then one that opens a
    segment, behind a discontinuity.
    """

    def __init__(self, grid: Grid) -> None:
        self._per_segment = grid.segment_frames // grid.part_frames
        self._most = math.ceil(_MOST_SECONDS * grid.fps / grid.part_frames)
        self._parts: deque[Part] = deque()
        self._expected: int | None = None
        self.session = 0
        self.dropped = 0

    def put(self, part: Part) -> None:
        """Queue a part behind the others, or begin anew with it."""
        if self._expected is not None and part.number != self._expected:
            self.restart()
        if self._expected is None and not self._can_open(part):
            self.dropped += 1
            return
        self._parts.append(part)
        self._expected = part.number + 1
        if len(self._parts) > self._most:
            self._catch_up()

    def head(self) -> Part | None:
        """Return the part to send now; it stays until `sent`."""
        return self._parts[0] if self._parts else None

    def sent(self, part: Part) -> None:
        """Forget `part`, if it is still the head: a restart may have come during its upload."""
        if self._parts and self._parts[0] is part:
            self._parts.popleft()

    def skip_to(self, number: int) -> None:
        """Go on with part `number`, as the origin asks; what it asks for may be gone."""
        head = self.head()
        if head is not None and number <= head.number:
            self.restart()
            return
        while self._parts and self._parts[0].number < number:
            self._parts.popleft()
            self.dropped += 1

    def restart(self) -> None:
        """Give the session up; the next one opens with a segment that is still to come."""
        self.session += 1
        self.dropped += len(self._parts)
        self._parts.clear()
        self._expected = None

    def _catch_up(self) -> None:
        """Give the session up, but keep from the newest segment on if that is shorter."""
        openers = (n for n in range(len(self._parts) - 1, 0, -1) if self._can_open(self._parts[n]))
        newest = next(openers, None)
        if newest is None:
            self.restart()
            return
        self.session += 1
        self.dropped += newest
        for _ in range(newest):
            self._parts.popleft()

    def _can_open(self, part: Part) -> bool:
        return part.keyframe and part.number % self._per_segment == 0

    def __len__(self) -> int:
        return len(self._parts)
