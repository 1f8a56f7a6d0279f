"""What of a scene is drawn and no picture of anybody, ready to be copied and blended."""

from collections.abc import Mapping
from dataclasses import dataclass

from bridge.broadcast.media.frames import Planes
from bridge.broadcast.media.raster import Overlay
from bridge.broadcast.media.scene import Badge, Scene, SceneKey
from bridge.broadcast.media.sources import SourceStatus


@dataclass(frozen=True, slots=True)
class Artwork:
    """What of a scene seldom changes. Read-only."""

    scene: Scene
    base: Planes
    """The canvas without pictures. In the tiles it is what lies under them."""
    overlays: tuple[Overlay, ...]
    """What lies over tiles; elsewhere it is in `base` already."""
    slates: Mapping[tuple[str, SourceStatus], Planes]
    """By source and reason (ABSENT, RECONNECTING, CAMERA_OFF), the size of its tile.

    A shared screen has none: without a picture it is not shown.
    """
    badges: Mapping[tuple[str, Badge], Overlay]
    """By source and kind; they lie inside its tile."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """One order carried out: a scene as it was captioned."""

    key: SceneKey
    artwork: Artwork | None
    """None: the same as with the drawing of this scene before."""
    live: tuple[Overlay, ...]
    """What changes often, over everything else."""
