"""The texts about a whole programme, rendered once for each version of its archive."""

import secrets
import zlib
from collections.abc import Callable
from typing import Final

from bridge.errors import NotFoundError
from bridge.protocol.upload import ProgrammeDescription
from bridge.server.origin.archive import ProgrammeArchive
from bridge.server.origin.history import History
from bridge.server.origin.live import PLAYLIST_TYPE
from bridge.server.origin.mpd import MPD_TYPE, render_mpd
from bridge.server.origin.playlist import PlaylistType, Variant, render_multivariant
from bridge.server.origin.rendered import RenderedText

_MOST_KEPT: Final = 16


def multivariant(description: ProgrammeDescription, suffix: str = "") -> RenderedText:
    """Render the multivariant playlist; `suffix` stands between a rendition's name and `.m3u8`."""
    text = render_multivariant(
        tuple(
            Variant(
                uri=f"{one.name}{suffix}.m3u8",
                bandwidth=one.bandwidth,
                average_bandwidth=one.average_bandwidth,
                codecs=one.codecs,
                width=one.width,
                height=one.height,
                fps=description.fps,
            )
            for one in description.renditions
        )
    )
    return RenderedText(f"{zlib.crc32(text.encode()):08x}", text.encode(), PLAYLIST_TYPE)


class ArchiveTexts:
    """Playlists and manifest of one archive. Loop-side only."""

    def __init__(self, archive: ProgrammeArchive) -> None:
        self.archive = archive
        self._history = History(archive)
        self._run = secrets.token_hex(4)
        self._version = -1
        self._rendered: dict[str, RenderedText] = {}

    def multivariant(self, kind: PlaylistType) -> RenderedText:
        """Return the playlist of all renditions. Raises NotFoundError when there is none yet."""
        session = self.archive.session
        if session is None or (kind is PlaylistType.VOD and not self.archive.ended):
            message = "There is no such playlist, or not yet."
            raise NotFoundError(message)
        suffix = "-dvr" if kind is PlaylistType.EVENT else "-vod"
        return multivariant(session.description, suffix)

    def media(self, rendition: str, kind: PlaylistType) -> RenderedText:
        """Return the playlist of one rendition. Raises NotFoundError when there is none yet."""
        name = f"{rendition}-{kind.value}"
        return self._render(name, PLAYLIST_TYPE, lambda: self._history.text(rendition, kind))

    def manifest(self) -> RenderedText:
        """Return the MPEG-DASH manifest. Raises NotFoundError when there is nothing to play yet."""
        takes = self.archive.takes
        if not takes:
            message = "This programme has not begun."
            raise NotFoundError(message)
        ended = self.archive.ended
        return self._render("mpd", MPD_TYPE, lambda: render_mpd(takes, ended=ended))

    def _render(self, name: str, kind: str, make: Callable[[], str]) -> RenderedText:
        if self._version != self.archive.version:
            self._version = self.archive.version
            self._rendered.clear()
        rendered = self._rendered.get(name)
        if rendered is None:
            if len(self._rendered) >= _MOST_KEPT:
                self._rendered.clear()
            etag = f"{self._run}.{name}.{self._version}"
            rendered = self._rendered[name] = RenderedText(etag, make().encode(), kind)
        return rendered
