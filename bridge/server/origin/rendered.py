"""Texts that many ask for: rendered once, compressed once, and one Answer for each way to ask."""

import gzip
from dataclasses import dataclass, field
from typing import Final

from bridge.server.origin.answers import Answer, Asked, Fields

EVERY_SITE: Final[Fields] = (
    ("Access-Control-Allow-Origin", "*"),
    # hls.js tunes in by Age, and may read it across origins only when told so.
    ("Access-Control-Expose-Headers", "Age, Date"),
    # For pages that isolate themselves (COEP): anybody may embed a public programme.
    ("Cross-Origin-Resource-Policy", "cross-origin"),
    ("X-Content-Type-Options", "nosniff"),
)
"""On every answer, refusals too: any page may play us."""


@dataclass(slots=True, eq=False)
class RenderedText:
    """One version of a text, shared by all answers. Loop-side only."""

    etag: str
    text: bytes
    content_type: str
    _gzipped: bytes = b""
    _answers: dict[tuple[int, bool, str], Answer] = field(default_factory=dict)

    def answer(self, asked: Asked, cache: str) -> Answer:
        """Answer `asked`; the same object for everybody who asks in the same way."""
        unchanged = bool(asked.etags & {self.etag, "*"})
        key = (304 if unchanged else 200, asked.takes_gzip, cache)
        known = self._answers.get(key)
        if known is None:
            known = self._answers[key] = self._make(*key)
        return known

    def _make(self, status: int, zipped: bool, cache: str) -> Answer:
        fields: list[tuple[str, str]] = [
            # Weak: the compressed bytes and the plain ones are one version.
            ("ETag", f'W/"{self.etag}"'),
            ("Cache-Control", cache),
            ("Vary", "Accept-Encoding"),
        ]
        if status == 304:
            return Answer(status, (*EVERY_SITE, *fields))
        fields.append(("Content-Type", self.content_type))
        if not zipped:
            return Answer(status, (*EVERY_SITE, *fields), self.text)
        if not self._gzipped:
            # The same text is the same bytes, so no time stamp.
            self._gzipped = gzip.compress(self.text, compresslevel=6, mtime=0)
        fields.append(("Content-Encoding", "gzip"))
        return Answer(status, (*EVERY_SITE, *fields), self._gzipped)
