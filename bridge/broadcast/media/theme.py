"""Themes: a folder with `theme.toml` and SVG templates, drawn by people who draw.

Each scene is a Jinja2 template of the whole canvas (`theme.svg` is side by side). Direct children
of its root are special:

- `<rect data-tile="proposition" data-fit="cover" x y width height rx stroke>`: a picture goes here;
- `<g data-layer="above">`: drawn over the pictures; everything else is under them;
- `<svg data-layer="live" x y width height>`: over everything, and drawn anew by itself.

`slate.svg` is a template of one tile without a picture, `badge.svg` of a mark on a tile. A file
that a theme lacks is taken from the classic one. Values are escaped by Jinja2. web/themes/README.md
tells it to those who draw.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import jinja2

from bridge.broadcast.media.caption import Caption, clean, initials
from bridge.broadcast.media.fonts import load_font
from bridge.broadcast.media.lettering import Lettering, TextBox, letter
from bridge.broadcast.media.manifest import Manifest, read_manifest
from bridge.broadcast.media.scene import Badge, SceneKey, SceneName
from bridge.broadcast.media.sources import SourceStatus
from bridge.broadcast.media.theme_guard import GuardedLoader, Sandbox, render
from bridge.errors import ThemeError

FALLBACK: Final = "classic"
SCENE_FILES: Final[Mapping[SceneName, str]] = {
    SceneName.SIDE_BY_SIDE: "theme.svg",
    **{name: f"{name}.svg" for name in SceneName if name is not SceneName.SIDE_BY_SIDE},
}
SLATE_FILE: Final = "slate.svg"
BADGE_FILE: Final = "badge.svg"


class Weight(StrEnum):
    """Which of the bundled fonts."""

    REGULAR = "Regular"
    SEMI_BOLD = "SemiBold"
    BOLD = "Bold"


@dataclass(frozen=True, slots=True)
class SideText:
    """What templates know of a side."""

    label: str
    colour: str
    name: str
    initials: str


class Theme:
    """A loaded theme: makes SVG texts. Raises ThemeError, naming the place.

    `folder` may be somebody's upload: see theme_guard.py for what that may do.
    """

    def __init__(self, folder: Path, fonts: Path, *, fallback: Path | None = None) -> None:
        self.folder = folder
        self.manifest: Manifest = read_manifest(folder)
        self.fonts = {weight: load_font(fonts / f"Inter-{weight}.otf") for weight in Weight}
        folders = (folder,) if fallback is None else (folder, fallback)
        self._templates = Sandbox(
            loader=GuardedLoader(folders),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._templates.filters["fit"] = self._fit

    def draw(self, key: SceneKey, caption: Caption) -> str:
        """Return the SVG of a scene, the whole canvas."""
        sides = self.manifest.sides
        others = [side for side in sides if side != key.subject]
        return self._render(
            SCENE_FILES[key.name],
            width=self.manifest.width,
            height=self.manifest.height,
            scene=key.name.value,
            subject=key.subject,
            other=others[0] if others else None,
            sides={side: self._side(side, caption) for side in sides},
            on_air=caption.on_air,
            motion=clean(caption.motion),
            clock=caption.clock,
            turn=caption.turn,
            floor=caption.floor,
            vote=caption.vote,
            note=clean(caption.note),
            logo=caption.logo,
        )

    def draw_slate(
        self, source: str, status: SourceStatus, caption: Caption, size: tuple[float, float]
    ) -> str:
        """Return the SVG of a tile of `size` (theme units) that has no picture, as `status`."""
        return self._render(
            SLATE_FILE,
            width=size[0],
            height=size[1],
            source=source,
            side=self._side(source, caption),
            status=status.value,
            line=getattr(self.manifest.slate, status.value),
        )

    def draw_badge(self, badge: Badge, size: tuple[float, float]) -> str:
        """Return the SVG of a mark on a tile of `size` (theme units)."""
        return self._render(
            BADGE_FILE,
            width=size[0],
            height=size[1],
            badge=badge.value,
            line=getattr(self.manifest.badge, badge.value),
        )

    def covers(self, text: str) -> bool:
        """Whether the bundled fonts alone can draw `text`."""
        return all(font.covers(text) for font in self.fonts.values())

    @property
    def font_files(self) -> list[Path]:
        """The bundled fonts."""
        return [font.path for font in self.fonts.values()]

    def _side(self, source: str, caption: Caption) -> SideText:
        side = self.manifest.sides[source]
        name = clean(caption.names.get(source, "")) or side.label
        return SideText(side.label, side.colour, name, initials(name))

    def _fit(
        self,
        text: object,
        width: float,
        height: float,
        largest: float,
        smallest: float,
        weight: str = Weight.SEMI_BOLD,
        leading: float = 1.2,
        lines: int = 99,
    ) -> Lettering:
        """Break, then shrink, then cut a text until it has room: the filter `fit`."""
        if min(width, height, smallest, leading) <= 0 or max(width, height, largest) > 8192:
            message = "fit: sizes must be above 0 and at most 8192"
            raise jinja2.TemplateRuntimeError(message)
        box = TextBox(
            width=width,
            height=height,
            largest=largest,
            smallest=smallest,
            leading=leading,
            most_lines=lines,
        )
        if weight not in set(Weight):
            message = f'fit: weight="{weight}" is none of {", ".join(Weight)}'
            raise jinja2.TemplateRuntimeError(message)
        return letter(clean(str(text))[:2000], box, self.fonts[Weight(weight)])

    def _render(self, file: str, **variables: object) -> str:
        name = f"{self.folder.name}/{file}"
        try:
            return render(self._templates.get_template(file), variables)
        except jinja2.TemplateNotFound as error:
            message = f"{self.folder.name}/{error.name} is missing"
            raise ThemeError(message) from error
        except jinja2.TemplateSyntaxError as error:
            place = f"{self.folder.name}/{error.name or file}"
            message = f"{place} line {error.lineno}: {error.message}"
            raise ThemeError(message) from error
        except (jinja2.TemplateError, ArithmeticError, TypeError, ValueError) as error:
            message = f"{name}: {error}"
            raise ThemeError(message) from error


def load_theme(name: str, web: Path) -> Theme:
    """Load a theme of the folder `web`. Raises ThemeError."""
    themes = web / "themes"
    fallback = None if name == FALLBACK else themes / FALLBACK
    return Theme(themes / name, web / "fonts", fallback=fallback)
