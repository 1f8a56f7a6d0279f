"""`theme.toml`: what a theme says of itself."""

import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bridge.errors import ThemeError


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Line = Annotated[str, Field(max_length=200)]


class SideStyle(_Part):
    """How one side is called and coloured."""

    label: Line
    colour: Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]


class SlateLines(_Part):
    """What a slate says under the name."""

    absent: Line = "is not here"
    reconnecting: Line = "is connecting …"
    camera_off: Line = "has the camera off"


class BadgeLines(_Part):
    """What a badge says, if it has room for it."""

    frozen: Line = "Connection lost"
    muted: Line = "Muted"


class Manifest(_Part):
    """`theme.toml`."""

    title: Line
    description: Annotated[str, Field(max_length=2000)] = ""
    width: Annotated[int, Field(ge=16, le=8192)]
    """Of the drawing; the canvas may have another size."""
    height: Annotated[int, Field(ge=16, le=8192)]
    sides: Annotated[dict[str, SideStyle], Field(min_length=1, max_length=4)]
    """By source."""
    slate: SlateLines = SlateLines()
    badge: BadgeLines = BadgeLines()


def read_manifest(folder: Path) -> Manifest:
    """Read a theme's manifest. Raises ThemeError, naming the line or the field."""
    path = folder / "theme.toml"
    try:
        return Manifest.model_validate(tomllib.loads(path.read_text("utf-8")))
    except OSError as error:
        message = f'There is no theme "{folder.name}": {path} cannot be read'
        raise ThemeError(message) from error
    except UnicodeDecodeError as error:
        message = f"{folder.name}/{path.name} is not UTF-8"
        raise ThemeError(message) from error
    except tomllib.TOMLDecodeError as error:
        message = f"{folder.name}/{path.name}: {error}"
        raise ThemeError(message) from error
    except ValidationError as error:
        places = "; ".join(
            f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()
        )
        message = f"{folder.name}/{path.name}: {places}"
        raise ThemeError(message) from error
