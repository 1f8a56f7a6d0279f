"""Themes: a folder with `theme.toml` and four SVG templates, drawn by people who draw.

`theme.svg` (side by side) and `screen.svg` (somebody shares his screen) are Jinja2 templates of the
whole canvas. Direct children of their roots are special:

- `<rect data-tile="proposition" data-fit="cover" x y width height rx>`: a picture goes here;
- `<g data-layer="above">`: drawn over the pictures; everything else is under them.

`slate.svg` is a template of one tile without a picture, `badge.svg` of a mark on a tile. Values are
escaped by Jinja2.
"""

import tomllib
import unicodedata
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import jinja2
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bridge.broadcast.media.fonts import Font, load_font
from bridge.broadcast.media.lettering import Lettering, TextBox, letter
from bridge.broadcast.media.scene import Badge
from bridge.broadcast.media.sources import SourceStatus
from bridge.errors import ThemeError

SIDE_BY_SIDE_FILE: Final = "theme.svg"
SCREEN_FILE: Final = "screen.svg"
_INVISIBLE: Final = {"Cc", "Cs", "Co", "Cn"}
"""Unicode categories that XML forbids or that nothing can draw."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Length = Annotated[float, Field(gt=0, le=8192)]


class Weight(StrEnum):
    """Which of the bundled fonts."""

    REGULAR = "Regular"
    SEMI_BOLD = "SemiBold"
    BOLD = "Bold"


class TextStyle(_Part):
    """Room for a text in the theme, in its units; see `TextBox`."""

    weight: Weight
    width: Length
    height: Length
    largest: Length
    smallest: Length
    leading: Length = 1.2

    @property
    def box(self) -> TextBox:
        """The room alone."""
        return TextBox(**self.model_dump(exclude={"weight"}))


class SideStyle(_Part):
    """How one side is called and coloured."""

    label: str
    colour: Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]


class TextStyles(_Part):
    """The texts that are fitted."""

    motion: TextStyle
    name: TextStyle
    """On the plate."""
    slate: TextStyle
    """The name on the slate."""
    screen_motion: TextStyle
    """The motion where somebody shares his screen; so the next."""
    screen_name: TextStyle


class SlateLines(_Part):
    """What a slate says under the name."""

    absent: str
    reconnecting: str
    camera_off: str


class BadgeLines(_Part):
    """What a badge says, if it has room for it."""

    frozen: str
    muted: str


class Manifest(_Part):
    """`theme.toml`."""

    title: str
    description: str = ""
    width: Annotated[int, Field(ge=16, le=8192)]
    """Of the drawing; the canvas may have another size."""
    height: Annotated[int, Field(ge=16, le=8192)]
    sides: Annotated[dict[str, SideStyle], Field(min_length=1)]
    """By source; each needs its tile."""
    text: TextStyles
    slate: SlateLines
    badge: BadgeLines


@dataclass(frozen=True, slots=True, kw_only=True)
class Caption:
    """What the programme says in words. Changing it means drawing anew."""

    motion: str
    names: Mapping[str, str]
    """By source."""
    on_air: bool = True
    """False in a rehearsal: no LIVE badge."""


@dataclass(frozen=True, slots=True)
class SideText:
    """What templates know of a side."""

    label: str
    colour: str
    name: Lettering
    initials: str


class Theme:
    """A loaded theme: makes SVG texts. Raises ThemeError, naming the place, on construction."""

    def __init__(self, folder: Path, fonts: Path) -> None:
        self.folder = folder
        self.manifest = _load_manifest(folder / "theme.toml")
        self.fonts = {weight: load_font(fonts / f"Inter-{weight}.otf") for weight in Weight}
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(folder),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def draw(self, caption: Caption) -> str:
        """Return the SVG of the whole canvas."""
        styles = self.manifest.text
        return self._render(
            SIDE_BY_SIDE_FILE,
            width=self.manifest.width,
            height=self.manifest.height,
            on_air=caption.on_air,
            motion=self._letter(caption.motion, styles.motion),
            sides={
                source: self._side(source, caption, styles.name) for source in self.manifest.sides
            },
        )

    def draw_screen(self, caption: Caption, sharer: str) -> str:
        """Return the SVG of the whole canvas while the source `sharer` shares his screen."""
        styles = self.manifest.text
        return self._render(
            SCREEN_FILE,
            width=self.manifest.width,
            height=self.manifest.height,
            on_air=caption.on_air,
            motion=self._letter(caption.motion, styles.screen_motion),
            sides={
                source: self._side(source, caption, styles.screen_name)
                for source in self.manifest.sides
            },
            sharer=sharer,
        )

    def draw_slate(
        self, source: str, status: SourceStatus, caption: Caption, size: tuple[float, float]
    ) -> str:
        """Return the SVG of a tile of `size` (theme units) that has no picture, as `status`."""
        return self._render(
            "slate.svg",
            width=size[0],
            height=size[1],
            source=source,
            side=self._side(source, caption, self.manifest.text.slate),
            status=status.value,
            line=getattr(self.manifest.slate, status.value),
        )

    def draw_badge(self, badge: Badge, size: tuple[float, float]) -> str:
        """Return the SVG of a mark on a tile of `size` (theme units)."""
        return self._render(
            "badge.svg",
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

    def _side(self, source: str, caption: Caption, style: TextStyle) -> SideText:
        side = self.manifest.sides[source]
        name = clean(caption.names.get(source, "")) or side.label
        return SideText(side.label, side.colour, self._letter(name, style), initials(name))

    def _letter(self, text: str, style: TextStyle) -> Lettering:
        font: Font = self.fonts[style.weight]
        return letter(clean(text), style.box, font)

    def _render(self, template: str, **variables: object) -> str:
        try:
            return self._templates.get_template(template).render(variables)
        except jinja2.TemplateNotFound as error:
            message = f"{self.folder.name}/{template} is missing"
            raise ThemeError(message) from error
        except jinja2.TemplateSyntaxError as error:
            message = f"{self.folder.name}/{template} line {error.lineno}: {error.message}"
            raise ThemeError(message) from error
        except jinja2.TemplateError as error:
            message = f"{self.folder.name}/{template}: {error.message}"
            raise ThemeError(message) from error


def clean(text: str) -> str:
    """Return `text` on one line, without what XML forbids."""
    visible = (" " if unicodedata.category(c) in _INVISIBLE else c for c in text)
    return " ".join("".join(visible).split())


def initials(name: str) -> str:
    """Return up to two letters for a slate.

    >>> initials("Ada King Lovelace"), initials("Ωριγένης")
    ('AL', 'Ω')
    """
    words = [word for word in name.split() if word[0].isalnum()]
    chosen = [words[0], words[-1]] if len(words) > 1 else words
    return "".join(word[0].upper() for word in chosen)


def parse_svg(text: str, name: str) -> ET.Element:
    """Read SVG that a template made. Raises ThemeError."""
    try:
        root = ET.fromstring(text)  # noqa: S314 - the operator's own file; values are escaped
    except ET.ParseError as error:
        message = f"{name} is not well-formed XML: {error}"
        raise ThemeError(message) from error
    if local_name(root) != "svg":
        message = f"{name} must begin with <svg>, not <{local_name(root)}>"
        raise ThemeError(message)
    return root


def local_name(element: ET.Element) -> str:
    """Return the tag without its namespace."""
    return element.tag.rpartition("}")[2]


def _load_manifest(path: Path) -> Manifest:
    try:
        return Manifest.model_validate(tomllib.loads(path.read_text("utf-8")))
    except OSError as error:
        message = f'There is no theme "{path.parent.name}": {path} cannot be read'
        raise ThemeError(message) from error
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        message = f"{path.parent.name}/{path.name}: {error}"
        raise ThemeError(message) from error
