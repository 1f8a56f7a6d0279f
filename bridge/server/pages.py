"""Pages for people: Jinja2 templates, in English or French."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bridge import __version__
from bridge.errors import NotFoundError
from bridge.rooms.model import Room, Side
from bridge.rooms.platforms import PLATFORMS
from bridge.server.debates import Debates
from bridge.server.tls import AuthorityNotice

LANGUAGES: Final = ("en", "fr")
_ROOM_PAGES: Final = ("host", "debate", "watch")
# Files are small and change with the version: ask each time, answer 304.
_REVALIDATE: Final = {"Cache-Control": "no-cache"}

_CERTIFICATE: Final = "debate-bridge-ca.crt"

Text = Callable[..., str]


class Catalogue:
    """All words of the interface, one file per language."""

    def __init__(self, folder: Path) -> None:
        self._texts: dict[str, dict[str, str]] = {
            lang: json.loads((folder / f"{lang}.json").read_text(encoding="utf-8"))
            for lang in LANGUAGES
        }

    def text(self, lang: str) -> Text:
        """Return `t(key, **values)` for a language; a missing key shows itself."""
        texts = self._texts[lang]

        def t(key: str, **values: object) -> str:
            text = texts.get(key, key)
            for name, value in values.items():
                text = text.replace("{" + name + "}", str(value))
            return text

        return t


def language(request: web.Request) -> str:
    """`?lang=` first, then the first language of `Accept-Language` that we speak."""
    asked = request.query.get("lang", "")
    if asked in LANGUAGES:
        return asked
    for item in request.headers.get("Accept-Language", "").split(","):
        tag = item.partition(";")[0].strip().lower()[:2]
        if tag in LANGUAGES:
            return tag
    return LANGUAGES[0]


class Pages:
    """Routes of the pages and of what they are made of."""

    def __init__(
        self,
        web_folder: Path,
        debates: Debates,
        authority: AuthorityNotice | None,
    ) -> None:
        self._folder = web_folder
        self._debates = debates
        self._authority = authority
        self._catalogue = Catalogue(web_folder / "i18n")
        self._templates = Environment(
            loader=FileSystemLoader(web_folder / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def routes(self) -> list[web.AbstractRouteDef]:
        """Every route."""
        return [
            web.get("/", self._create),
            web.get("/recordings", self._list_recordings),
            *(web.get(f"/{page}/{{room}}", self._room_page) for page in _ROOM_PAGES),
            web.get("/trust", self._trust),
            web.get("/ca.crt", self._certificate),
            web.get("/favicon.ico", self._favicon),
            web.get("/i18n/{file}", self._words),
            web.static("/static", self._folder / "static"),
            web.static("/fonts", self._folder / "fonts"),
        ]

    def error(self, request: web.Request, status: int, detail: str) -> web.Response:
        """Draw an error as a page."""
        title = "error.not_found" if status == 404 else "error.title"
        t = self._catalogue.text(language(request))
        return self._render(
            request, "error", status=status, http_status=status, title=t(title), detail=detail
        )

    async def _create(self, request: web.Request) -> web.Response:
        return self._render(request, "create")

    async def _list_recordings(self, request: web.Request) -> web.Response:
        return self._render(request, "recordings")

    async def _room_page(self, request: web.Request) -> web.Response:
        room = await self._debates.find(request.match_info["room"])
        page = request.path.split("/")[1]
        return self._render(request, page, room=room_as_context(room))

    async def _trust(self, request: web.Request) -> web.Response:
        return self._render(request, "trust", fingerprint=self._own_authority().fingerprint)

    async def _certificate(self, _request: web.Request) -> web.Response:
        # Inline, so that Safari offers to install it; other browsers save this type in any case.
        headers = {**_REVALIDATE, "Content-Disposition": f'inline; filename="{_CERTIFICATE}"'}
        return web.Response(
            body=self._own_authority().pem,
            content_type="application/x-x509-ca-cert",
            headers=headers,
        )

    def _own_authority(self) -> AuthorityNotice:
        if self._authority is None:
            message = "This server has no certificate authority of its own."
            raise NotFoundError(message)
        return self._authority

    async def _favicon(self, _request: web.Request) -> web.StreamResponse:
        return web.FileResponse(self._folder / "static" / "favicon.svg")

    async def _words(self, request: web.Request) -> web.StreamResponse:
        lang = request.match_info["file"].removesuffix(".json")
        if lang not in LANGUAGES:
            message = "There is no such language here."
            raise NotFoundError(message)
        return web.FileResponse(self._folder / "i18n" / f"{lang}.json", headers=_REVALIDATE)

    def _render(
        self, request: web.Request, page: str, *, http_status: int = 200, **context: Any
    ) -> web.Response:
        lang = language(request)
        text = self._templates.get_template(f"{page}.html").render(
            {"room": None, **context},
            page=page,
            lang=lang,
            t=self._catalogue.text(lang),
            version=__version__,
            platforms=tuple(PLATFORMS.values()),
            own_authority=self._authority is not None,
        )
        return web.Response(
            text=text, content_type="text/html", status=http_status, headers=_REVALIDATE
        )


def room_as_context(room: Room) -> dict[str, Any]:
    """Return what templates know of a room."""
    return {
        "id": room.id,
        "motion": room.motion,
        "names": {side.value: room.name(side) for side in Side},
        "phase": room.phase.value,
    }


async def revalidate_static(request: web.Request, response: web.StreamResponse) -> None:
    """Signal `on_response_prepare`: scripts and styles are asked for anew, answered 304."""
    if request.path.startswith(("/static/", "/fonts/")):
        response.headers.setdefault("Cache-Control", _REVALIDATE["Cache-Control"])
