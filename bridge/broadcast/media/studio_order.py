"""What the broadcast and the process that draws for it say to each other.

stdin   a line Commission, then a line Order for each drawing wanted, JSON
stdout  for each order: size, 8 bytes big-endian, then a pickled Drawing or str (what is wrong)
"""

import io
import pickle
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from bridge.broadcast.media.artwork import Drawing
from bridge.broadcast.media.caption import Caption
from bridge.broadcast.media.scene import SceneName

SIZE_BYTES: Final = 8
MAX_DRAWING_BYTES: Final = 256 * 1024 * 1024
_NAMES: Final = {
    ("bridge.broadcast.media.artwork", "Artwork"),
    ("bridge.broadcast.media.artwork", "Drawing"),
    ("bridge.broadcast.media.raster", "Overlay"),
    *(
        ("bridge.broadcast.media.scene", name)
        for name in ("Badge", "Fit", "Rect", "Scene", "SceneKey", "SceneName", "Tile")
    ),
    ("bridge.broadcast.media.sources", "SourceStatus"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("numpy._core.numeric", "_frombuffer"),
    ("numpy._core.multiarray", "_reconstruct"),
}
"""All that a drawing is made of."""


class Commission(BaseModel):
    """What is drawn as long as the process lives."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    theme: str
    web: Path
    """The folder with themes and fonts."""
    width: int
    height: int


class Order(BaseModel):
    """One drawing wanted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scene: SceneName
    subject: str | None
    caption: Caption
    hasty: bool = False
    """See `Studio.draw`."""


class _Drawings(pickle.Unpickler):
    """Makes drawings, and nothing that a theme could have smuggled in."""

    def find_class(self, module: str, name: str) -> Any:
        """Return one of the few classes that are allowed."""
        if (module, name) not in _NAMES:
            message = f"a drawing holds no {module}.{name}"
            raise pickle.UnpicklingError(message)
        return super().find_class(module, name)


def pack(answer: Drawing | str) -> bytes:
    """Return an answer as it goes over the pipe."""
    packed = pickle.dumps(answer, protocol=pickle.HIGHEST_PROTOCOL)
    return len(packed).to_bytes(SIZE_BYTES, "big") + packed


def unpack(packed: bytes) -> Drawing | str:
    """Return the answer. Raises UnpicklingError when it is none."""
    answer = _Drawings(io.BytesIO(packed)).load()
    if not isinstance(answer, Drawing | str):
        message = f"a drawing is no {type(answer).__name__}"
        raise pickle.UnpicklingError(message)
    return answer
