"""What a debater's browser is asked to send for his tiles. Pure."""

from dataclasses import dataclass
from typing import Final, Literal

from bridge.broadcast.rtc.needed_bit_rate import needed_bit_rate, picture_bit_rate
from bridge.protocol.messages import Wanted, WantedPicture

Size = tuple[int, int]

_MORE: Final = 2
"""Pixels above the tile: browsers round the size down, and nothing is ever scaled up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Width and height of a debater's tiles; None: not in the picture now."""

    camera: Size | None = None
    screen: Size | None = None
    hidden: int = 0
    """How many of his pictures come without being shown."""

    def wanted(self, frame_rate: int) -> Wanted:
        """Return what fills the tiles in a programme of `frame_rate`."""
        return Wanted(
            camera=_picture(self.camera, "cover", frame_rate),
            screen=_picture(self.screen, "contain", frame_rate),
        )

    @property
    def bit_rate(self) -> int:
        """Bits per second for all of it with sound: never less than `wanted` adds up to."""
        tiles = [tile for tile in (self.camera, self.screen) if tile is not None]
        return needed_bit_rate(tiles, hidden=self.hidden)


def _picture(
    tile: Size | None, fit: Literal["cover", "contain"], frame_rate: int
) -> WantedPicture | None:
    if tile is None:
        return None
    width, height = tile
    return WantedPicture(
        width=width + _MORE,
        height=height + _MORE,
        fit=fit,
        frame_rate=frame_rate,
        bit_rate=picture_bit_rate(width, height),
    )
