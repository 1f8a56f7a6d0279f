"""The live window: sessions, segments and parts of one programme. Pure; knows no HTTP."""

from collections import deque
from collections.abc import Sequence

from bridge.errors import ConflictError, NotFoundError
from bridge.protocol.upload import ProgrammeDescription
from bridge.server.origin.segments import Bytes, PerRendition, Position, Segment, Session


class OutOfOrderError(ConflictError):
    """A part came that is not the next one; `next` is."""

    code = "out_of_order"

    def __init__(self, next_part: int) -> None:
        super().__init__(f"The next part of this session is {next_part}.")
        self.next = next_part


class MediaWindow:
    """What players can fetch of a programme, in all its renditions. Not thread-safe.

    A segment is *published* (EXTINF and URI shown) together with the first part of the next one, or
    at the end: that is the order that RFC 8216bis gives at EXT-X-PRELOAD-HINT, and it spares
    clients that ask for a bare `_HLS_msn` a wait of a whole segment.
    """

    def __init__(self, first_msn: int, listed: int) -> None:
        self._next_msn = first_msn
        self._listed = listed
        self._kept: deque[Segment] = deque()
        self._sessions: dict[str, Session] = {}
        self._current: Session | None = None
        self._removed_discontinuities = 0
        self.ended = False

    def restore(self, segments: Sequence[Segment], removed_discontinuities: int) -> None:
        """Go on from `segments` of an earlier life, numbered one after the other.

        Before anything else. Their sessions are over; players find what they know.
        """
        for segment in segments[-self._most_kept :]:
            segment.close()
            self._kept.append(segment)
            self._sessions[segment.session.name] = segment.session
        gone = segments[: -self._most_kept]
        self._removed_discontinuities = removed_discontinuities
        self._removed_discontinuities += sum(one.discontinuity for one in gone)
        if segments:
            self._next_msn = segments[-1].msn + 1

    @property
    def next_msn(self) -> int:
        """The number that the next segment will have."""
        return self._next_msn

    @property
    def current(self) -> Session | None:
        """The session that parts are expected of."""
        return self._current

    def open_session(self, name: str, description: ProgrammeDescription) -> None:
        """Begin a session; the same one again changes nothing.

        Raises ConflictError when `name` was used before, or the programme has ended.
        """
        known = self._sessions.get(name)
        if known is not None and known is self._current and known.description == description:
            return
        if known is not None:
            message = "This session is over; begin one with a new name."
            raise ConflictError(message, code="session_over")
        self._refuse_after_end()
        self._current = self._sessions[name] = Session(name, description)

    def put_init(self, name: str, data: tuple[bytes, ...]) -> None:
        """Keep a session's init sections. Raises NotFoundError, ConflictError."""
        session = self._expect(name)
        if session.init and session.init != data:
            message = "The init sections of a session never change."
            raise ConflictError(message, code="init_changed")
        session.init = data

    def put_part(self, name: str, number: int, data: PerRendition) -> bool:
        """Take the next part; False when it was here already.

        Raises NotFoundError, ConflictError or OutOfOrderError, and nothing has changed.
        """
        session = self._expect(name)
        if not session.init:
            message = "The init sections come first."
            raise ConflictError(message, code="init_missing")
        per_segment = session.description.parts_per_segment
        if session.next_part is None:
            if number % per_segment:
                raise OutOfOrderError((number // per_segment + 1) * per_segment)
        elif number < session.next_part:
            return False
        elif number > session.next_part:
            raise OutOfOrderError(session.next_part)
        if session.next_part is None or number % per_segment == 0:
            self._open_segment(session, number // per_segment)
        session.next_part = number + 1
        self._kept[-1].parts.append(data)
        return True

    def end(self) -> None:
        """No more parts will come; idempotent."""
        if self.ended:
            return
        self.ended = True
        if self._kept and not self._kept[-1].whole:
            self._kept[-1].close()

    def listed(self) -> Sequence[Segment]:
        """Segments of the playlist, oldest first; the last one may be open."""
        # The open segment comes on top of the window's complete ones.
        count = self._listed + (0 if self.ended else 1)
        return list(self._kept)[-count:]

    @property
    def newest(self) -> Segment | None:
        """The last listed segment."""
        return self._kept[-1] if self._kept else None

    def discontinuity_sequence(self) -> int:
        """How many discontinuities lie before the first listed segment."""
        shown = len(self.listed())
        hidden = list(self._kept)[: len(self._kept) - shown]
        return self._removed_discontinuities + sum(one.discontinuity for one in hidden)

    @property
    def last_published_msn(self) -> int:
        """Number of the newest segment with an EXTINF; one below the first when there is none."""
        if not self._kept:
            return self._next_msn - 1
        newest = self._kept[-1].msn
        return newest if self.ended else newest - 1

    def has(self, position: Position) -> bool:
        """Whether the playlist shows `position` or something after it."""
        if self.ended:
            return True
        if position.msn <= self.last_published_msn:
            return True
        if position.part is None or not self._kept:
            return False
        newest = self._kept[-1]
        return newest.msn == position.msn and position.part < len(newest.parts)

    def normalise(self, position: Position) -> Position:
        """Read a part beyond a segment's last as the next segment's first (RFC 8216bis 6.2.5.2)."""
        if self._current is None or position.part is None:
            return position
        per_segment = self._current.description.parts_per_segment
        if position.part < per_segment:
            return position
        return Position(position.msn + 1, 0)

    def parts_ahead(self, position: Position) -> int:
        """How many parts after the newest one `position` lies."""
        if self._current is None or position.part is None:
            return 0
        per_segment = self._current.description.parts_per_segment
        newest = self._kept[-1] if self._kept else None
        at = (newest.msn, len(newest.parts) - 1) if newest else (self._next_msn, -1)
        return (position.msn - at[0]) * per_segment + position.part - at[1]

    def session(self, name: str) -> Session:
        """Raise NotFoundError unless there is such a session."""
        try:
            return self._sessions[name]
        except KeyError:
            message = "There is no such session."
            raise NotFoundError(message) from None

    def find_init(self, name: str, rendition: str) -> bytes | None:
        """Init section of a session, None when it is not (or no longer) here."""
        session = self._sessions.get(name)
        position = session.position_of(rendition) if session else None
        if session is None or position is None or not session.init:
            return None
        return session.init[position]

    def find_segment(self, name: str, rendition: str, number: int) -> Bytes | None:
        """Bytes of a complete segment, None when it is not (or no longer) here."""
        segment = self._find(name, number)
        position = segment.session.position_of(rendition) if segment else None
        if segment is None or position is None or not segment.whole:
            return None
        return segment.whole[position]

    def find_part(self, name: str, rendition: str, number: int) -> Bytes | None:
        """Bytes of a part, None when it is not (or no longer) here."""
        session = self._sessions.get(name)
        position = session.position_of(rendition) if session else None
        if session is None or position is None:
            return None
        segment = self._find(name, number // session.description.parts_per_segment)
        index = number - segment.first_part if segment else -1
        if segment is None or not 0 <= index < len(segment.parts):
            return None
        return segment.parts[index][position]

    def hinted(self) -> tuple[Session, int] | None:
        """Session and number of the part that comes next; None before the first and after the end.

        A session that has been opened and has no part yet is not hinted: where on its grid it
        begins is not known. Until then the hint stays with the old one, whose next part will
        never come: hls.js polls in a loop without any hint.
        """
        if self.ended or not self._kept:
            return None
        session = self._kept[-1].session
        # A kept segment has a part, so its session has a next one.
        assert session.next_part is not None  # noqa: S101 - for the type checker
        return session, session.next_part

    def _find(self, name: str, number: int) -> Segment | None:
        for segment in reversed(self._kept):
            if segment.session.name == name and segment.number == number:
                return segment
        return None

    def _expect(self, name: str) -> Session:
        session = self.session(name)
        self._refuse_after_end()
        if session is not self._current:
            message = "This session is over; begin one with a new name."
            raise ConflictError(message, code="session_over")
        return session

    @property
    def _most_kept(self) -> int:
        # A segment stays downloadable for its own duration plus the window's after it has left
        # the playlist (RFC 8216bis 6.2.2), and its parts with it; the open one comes on top.
        return 2 * self._listed + 2

    def _refuse_after_end(self) -> None:
        if self.ended:
            message = "This programme has ended."
            raise ConflictError(message, code="ended")

    def _open_segment(self, session: Session, number: int) -> None:
        discontinuity = False
        if self._kept:
            # What a session that died left of its last segment is published as it is.
            self._kept[-1].close()
            before = self._kept[-1].session
            discontinuity = before is not session
            if before.grid != session.grid:
                # A playlist's head never changes, so nothing of another grid stays beside it.
                self._removed_discontinuities += sum(one.discontinuity for one in self._kept)
                self._kept.clear()
        self._kept.append(Segment(self._next_msn, session, number, discontinuity))
        self._next_msn += 1
        self._forget()

    def _forget(self) -> None:
        while len(self._kept) > self._most_kept:
            self._removed_discontinuities += self._kept.popleft().discontinuity
        alive = {segment.session.name for segment in self._kept}
        for name in [one for one in self._sessions if one not in alive]:
            if self._sessions[name] is not self._current:
                # Its name stays taken, without its bytes.
                self._sessions[name].init = ()
