"""What keeps a theme that somebody sent from doing more than draw.

Templates are code: Jinja2's sandbox keeps them from Python, limits keep them small. SVG can name
files and addresses: whatever is not inside the drawing itself is refused. Time and memory are
limited by the process in which all of it runs (studio_child.py).
"""

import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from bridge.errors import ThemeError

MAX_FILE_BYTES: Final = 512 * 1024
"""Of one template; the largest of ours has 10 KiB."""
_MAX_DRAWN: Final = 2 * 1024 * 1024
"""Characters that a template may write."""
_MOST_ELEMENTS: Final = 20_000
_DEEPEST: Final = 64
"""Elements in one another; the rasteriser recurses."""
_PICTURES: Final = ("data:image/png", "data:image/jpeg", "data:image/webp")
_XLINK_HREF: Final = "{http://www.w3.org/1999/xlink}href"
_ADDRESSES: Final = ("@import", "://", "file:")
"""Never in a style or a presentation attribute."""


class Sandbox(ImmutableSandboxedEnvironment):
    """Renders templates that are not trusted. Any thread."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def call_binop(
        self, context: jinja2.runtime.Context, operator: str, left: Any, right: Any
    ) -> Any:
        """Refuse what makes much of little: `"x" * 10**9`, `10 ** 10**9`, `"%999999d" % 1`."""
        numbers = isinstance(left, int | float) and isinstance(right, int | float)
        if not numbers or (operator == "**" and (abs(left) > 1e6 or abs(right) > 16)):
            message = f"{operator} is for numbers of a sensible size"
            raise jinja2.TemplateRuntimeError(message)
        return super().call_binop(context, operator, left, right)


class GuardedLoader(jinja2.BaseLoader):
    """Finds templates in the first of `folders` that has them; nothing outside is ever read."""

    def __init__(self, folders: tuple[Path, ...]) -> None:
        self._folders = tuple(folder.resolve() for folder in folders)

    def get_source(
        self, environment: jinja2.Environment, template: str
    ) -> tuple[str, str, Callable[[], bool]]:
        """Return a template's text."""
        for folder in self._folders:
            path = (folder / template).resolve()
            if path.parent == folder and path.is_file():
                return _read(path, folder.name), str(path), lambda: True
        raise jinja2.TemplateNotFound(template)


def _read(path: Path, theme: str) -> str:
    name = f"{theme}/{path.name}"
    if path.stat().st_size > MAX_FILE_BYTES:
        message = f"{name} is larger than {MAX_FILE_BYTES // 1024} KiB"
        raise ThemeError(message)
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        message = f"{name} is not UTF-8"
        raise ThemeError(message) from error


def render(template: jinja2.Template, variables: dict[str, object]) -> str:
    """Return what a template writes. Raises ThemeError when it is too much."""
    pieces: list[str] = []
    length = 0
    for piece in template.generate(variables):
        pieces.append(piece)
        length += len(piece)
        if length > _MAX_DRAWN:
            message = f"{template.name} writes more than {_MAX_DRAWN // 2**20} MiB"
            raise ThemeError(message)
    return "".join(pieces)


def parse_svg(text: str, name: str) -> ET.Element:
    """Read SVG that a template made. Raises ThemeError, naming the element that is not allowed."""
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        message = f"{name}: a document type is not allowed"
        raise ThemeError(message)
    try:
        root = ET.fromstring(text)  # noqa: S314 - no document type, so no entities
    except ET.ParseError as error:
        message = f"{name} is not well-formed XML: {error}"
        raise ThemeError(message) from error
    if local_name(root) != "svg":
        message = f"{name} must begin with <svg>, not <{local_name(root)}>"
        raise ThemeError(message)
    _check(root, name)
    return root


def local_name(element: ET.Element) -> str:
    """Return the tag without its namespace."""
    return element.tag.rpartition("}")[2]


def _check(root: ET.Element, name: str) -> None:
    """Refuse what is too much, and what is not in the drawing itself."""
    waiting = [(root, 0)]
    count = 0
    while waiting:
        element, depth = waiting.pop()
        count += 1
        if count > _MOST_ELEMENTS or depth > _DEEPEST:
            message = f"{name} has too many elements, or too many in one another"
            raise ThemeError(message)
        _check_addresses(element, name)
        waiting += ((child, depth + 1) for child in element)


def _check_addresses(element: ET.Element, name: str) -> None:
    for attribute in ("href", _XLINK_HREF):
        address = element.get(attribute)
        if address is not None and not address.startswith(("#", *_PICTURES)):
            message = (
                f'{name}: <{local_name(element)} href="{address[:80]}"> may only be "#…" '
                "or data:image/png, jpeg or webp"
            )
            raise ThemeError(message)
    styles = [value for key, value in element.attrib.items() if not key.endswith("href")]
    if local_name(element) == "style":
        styles.append(element.text or "")
    for style in styles:
        outside = any(word in style.lower() for word in _ADDRESSES)
        if outside or _other_url(style):
            message = f'{name}: <{local_name(element)}> names an address: "{style.strip()[:80]}"'
            raise ThemeError(message)


def _other_url(style: str) -> bool:
    """Whether there is a `url(…)` that is none of a part of this drawing."""
    pieces = style.lower().split("url(")[1:]
    return any(not piece.lstrip(" \t\r\n'\"").startswith("#") for piece in pieces)
