"""Which scene is right now: what the host chose, what is shared, and who speaks. Pure."""

from collections.abc import Collection, Sequence
from typing import Final

from bridge.broadcast.media.scene import SceneKey, SceneName
from bridge.protocol.show import SceneChoice

_TAKES_OVER: Final = 1.5
"""Seconds of voice, pauses between words taken off, after which somebody is the speaker: longer
than "yes", "no" and a laugh."""
_FALLS_SILENT: Final = 1.0
"""What may be left of the other's. Both speaking changes nothing."""
_MOST: Final = 2.5
_HOLD: Final = 4.0
"""Seconds that a speaker stays large at least: faster cuts are unrest."""


class ActiveSpeaker:
    """Follows who speaks, with hysteresis. `hear` at any pace."""

    def __init__(self, sides: Sequence[str]) -> None:
        self._said = dict.fromkeys(sides, 0.0)
        self._heard_at: float | None = None
        self._since = float("-inf")
        self.side = sides[0]
        """Who it is now. In the beginning the first."""

    def hear(self, voiced: Collection[str], now: float) -> None:
        """Take who has a voice now."""
        elapsed = min(now - self._heard_at, 1.0) if self._heard_at is not None else 0.0
        self._heard_at = now
        for side, said in self._said.items():
            step = elapsed if side in voiced else -elapsed
            self._said[side] = min(max(said + step, 0.0), _MOST)
        loudest = max(self._said, key=lambda side: self._said[side])
        if loudest == self.side or now - self._since < _HOLD:
            return
        if self._said[loudest] >= _TAKES_OVER and self._said[self.side] <= _FALLS_SILENT:
            self.side, self._since = loudest, now


class Director:
    """Decides, ten times a second or so.

    `follow_voice`: the format lets `auto` follow who speaks.
    """

    def __init__(self, sides: Sequence[str], *, follow_voice: bool = False) -> None:
        self._follow_voice = follow_voice
        self._speaker = ActiveSpeaker(sides)
        self._sharing: list[str] = []
        """In the order in which they began."""

    def decide(
        self,
        choice: SceneChoice,
        *,
        sharing: Collection[str],
        voiced: Collection[str],
        now: float,
    ) -> SceneKey:
        """Return what is to be shown. `sharing`, `voiced`: sides; `now`: monotonic seconds."""
        self._speaker.hear(voiced, now)
        self._sharing = [side for side in self._sharing if side in sharing]
        self._sharing += [side for side in sharing if side not in self._sharing]
        match choice.scene:
            case "auto":
                return self._shared_or(SceneName.SPEAKER if self._follow_voice else None)
            case "screen":
                return self._shared_or(None)
            case "speaker" | "picture_in_picture" as name:
                return SceneKey(SceneName(name), choice.side or self._speaker.side)
            case name:
                return SceneKey(SceneName(name))

    def _shared_or(self, otherwise: SceneName | None) -> SceneKey:
        if self._sharing:
            return SceneKey(SceneName.SCREEN, self._sharing[-1])
        if otherwise is not None:
            return SceneKey(otherwise, self._speaker.side)
        return SceneKey(SceneName.SIDE_BY_SIDE)
