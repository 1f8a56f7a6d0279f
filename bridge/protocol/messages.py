"""Socket.IO messages: every event, both ways, as a model that is checked at the door.

`EVENTS_TO_SERVER` and `EVENTS_TO_CLIENT` are complete; a test compares them with PROTOCOL.md.
"""

from enum import StrEnum
from typing import Annotated, Any, Final, Literal, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from bridge.protocol.message import Message
from bridge.protocol.show import Levels, SceneChoice, SceneShown
from bridge.rooms.model import Phase, Side

MAX_MESSAGE_BYTES: Final = 64 * 1024
MAX_SDP_BYTES: Final = 32 * 1024
BRIDGE_SEAT: Final = "bridge"
"""Address of the hidden server-side peer in `signal`."""

SessionId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{8,64}$")]
LinkId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.~-]{1,160}$")]
Seat = Literal["proposition", "opposition", "bridge"]


class MediaState(Message):
    """What a debater sends right now; False means switched off on purpose."""

    microphone: bool = True
    camera: bool = True
    screen: bool = False


class ConnectAuth(Message):
    """`auth` of the Socket.IO CONNECT packet."""

    token: Annotated[str, StringConstraints(min_length=1, max_length=512)]


class Join(Message):
    """`join`: take the seat that the token is for."""

    seat_key: SessionId | None = None
    """Made once per browser tab. The same key takes its own seat back; another is refused."""
    media: MediaState = MediaState()


class SessionDescription(Message):
    """W3C RTCSessionDescriptionInit."""

    type: Literal["offer", "answer"]
    sdp: Annotated[str, StringConstraints(min_length=1, max_length=MAX_SDP_BYTES)]


class IceCandidate(Message):
    """W3C RTCIceCandidateInit. An empty `candidate` means end of candidates."""

    candidate: Annotated[str, StringConstraints(max_length=1024)]
    sdp_mid: Annotated[str | None, Field(alias="sdpMid", max_length=16)] = None
    sdp_m_line_index: Annotated[int | None, Field(alias="sdpMLineIndex", ge=0, le=15)] = None
    username_fragment: Annotated[str | None, Field(alias="usernameFragment", max_length=256)] = None

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)


class ErrorBody(Message):
    """What went wrong: `code` for programs, `message` for people."""

    code: str
    message: str


class WantedPicture(Message):
    """What a tile can show of a picture: more would be thrown away, less be scaled up."""

    width: Annotated[int, Field(ge=2, le=4096)]
    height: Annotated[int, Field(ge=2, le=4096)]
    fit: Literal["cover", "contain"]
    frame_rate: Annotated[int, Field(alias="frameRate", ge=1, le=60)]
    bit_rate: Annotated[int, Field(alias="bitRate", ge=50_000, le=10_000_000)]
    """Bits per second, without sound and headers."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Wanted(Message):
    """What the programme shows of a debater now; None: nothing, so the least is enough."""

    camera: WantedPicture | None = None
    screen: WantedPicture | None = None


class Signal(Message):
    """`signal` to the server: one step of a negotiation, for another seat."""

    to: Seat
    session: SessionId
    """The addressee's session; the server refuses what is meant for an earlier one."""
    link: LinkId
    """Which RTCPeerConnection of the pair this belongs to; others are ignored."""
    description: SessionDescription | None = None
    candidate: IceCandidate | None = None
    rejoin: Literal[True] | None = None
    """The bridge gets nothing on this link any more: its owner makes the next one."""
    refusal: ErrorBody | None = None
    """Why the bridge cannot take the link's offer."""
    wanted: Wanted | None = None
    """How large the bridge can show what comes on this link."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        steps = (self.description, self.candidate, self.rejoin, self.refusal, self.wanted)
        if sum(step is not None for step in steps) != 1:
            message = "a signal carries one of description, candidate, rejoin, refusal and wanted"
            raise ValueError(message)
        return self


class SignalFrom(Message):
    """`signal` to a client: what another seat sent."""

    sender: Annotated[Seat, Field(serialization_alias="from", validation_alias="from")]
    session: SessionId
    """The sender's session."""
    link: LinkId
    description: SessionDescription | None = None
    candidate: IceCandidate | None = None
    rejoin: Literal[True] | None = None
    refusal: ErrorBody | None = None
    wanted: Wanted | None = None


class IngestState(StrEnum):
    """How a debater's leg to the bridge is."""

    ABSENT = "absent"
    CONNECTING = "connecting"
    RECEIVING = "receiving"
    FROZEN = "frozen"


class IngestReport(Message):
    """What the bridge gets of a debater, over the last second."""

    state: IngestState
    round_trip_ms: float | None = None
    kbps: float = 0.0
    pictures_per_second: float = 0.0
    lost_percent: float = 0.0
    """Of the packets; most of them came again in time."""
    concealed_ms: float = 0.0
    """Sound that was made up, of the last second."""


class NetworkHealth(StrEnum):
    """A debater's uplink in one word, as he and the host see it."""

    GOOD = "good"
    FAIR = "fair"
    POOR = "poor"
    LOST = "lost"


class LegHealth(Message):
    """One of a debater's two connections, by his browser's `getStats`."""

    health: NetworkHealth
    round_trip_ms: Annotated[float | None, Field(ge=0, le=60_000)] = None
    lost_percent: Annotated[float | None, Field(ge=0, le=100)] = None
    kbps: Annotated[float, Field(ge=0, le=1_000_000)] = 0.0
    pictures_per_second: Annotated[float | None, Field(ge=0, le=240)] = None


class Health(Message):
    """`health`: how a debater's uplink does, every few seconds."""

    bridge: LegHealth
    peer: LegHealth | None = None
    """None: the opponent is not there."""


class OutputState(StrEnum):
    """How an output is; one word for people and programs."""

    PREPARING = "preparing"
    LIVE = "live"
    DEGRADED = "degraded"
    RETRYING = "retrying"
    REJECTED = "rejected"
    STOPPED = "stopped"


class DestinationReport(Message):
    """How one RTMP destination does."""

    id: str
    state: OutputState
    detail: str = ""
    """Last error in words, without the key."""
    sent_bytes: int = 0
    """That the server's machine has acknowledged."""
    dropped: int = 0
    """Packets that were left out because they could not be sent in time."""
    retries: int = 0
    next_try_at: float | None = None
    """Seconds since the epoch; None unless it waits before the next try."""


class RecordingReport(Message):
    """How the recording does."""

    state: OutputState
    bytes: int = 0
    detail: str = ""
    free_bytes: int | None = None
    """Of the disk."""
    seconds_left: int | None = None
    """Until the disk is full at the programme's rate."""


class ProgrammeReport(Message):
    """The programme's clock."""

    ticks: int
    skipped: int
    late: int


class BroadcastReport(Message):
    """`report`: the broadcast tells the server how it does, once a second and at each change."""

    programme: ProgrammeReport
    ingests: dict[Side, IngestReport]
    hls: OutputState
    destinations: tuple[DestinationReport, ...] = ()
    recording: RecordingReport | None = None
    shown: SceneShown | None = None
    relief: Annotated[int, Field(ge=0, le=4)] = 0
    """How much is left out because the machine is too slow: see `ReliefLevel`."""


class ParticipantView(Message):
    """A debater who is in the room."""

    seat: Side
    session: SessionId
    generation: int
    """Counts the joins of this seat; the highest is the current one."""
    media: MediaState
    ingest: IngestState | None = None
    """How the bridge gets this debater; None while there is no broadcast."""


class BroadcastState(StrEnum):
    """The broadcast process, as everybody in the room sees it."""

    OFF = "off"
    STARTING = "starting"
    ON = "on"
    RESTARTING = "restarting"
    ENDING = "ending"


class DestinationView(Message):
    """A destination as the host sees it: never the key."""

    id: str
    label: str
    """The platform's name, or the server's."""
    address: str
    """Scheme and server."""
    warning: str = ""
    """What the platform would not like of the programme."""
    report: DestinationReport


class HostView(Message):
    """What only the host sees of a room."""

    preview_url: str | None = None
    """Multivariant playlist of the programme, also in rehearsal."""
    destinations: tuple[DestinationView, ...]
    ingests: dict[Side, IngestReport]
    health: dict[Side, Health] = Field(default_factory=dict)
    """What the debaters' browsers say of their uplinks."""
    programme: ProgrammeReport | None = None
    recording: RecordingReport | None = None
    shown: SceneShown | None = None
    """None while there is no programme."""
    relief: int = 0
    restarts: int
    viewers: int = 0
    """Pages that play the programme now."""
    viewers_latency: float | None = None
    """Median of how far they are behind, in seconds."""


class RoomView(Message):
    """`room`: the whole state, at each change. Receivers keep the newest and forget the old."""

    id: str
    motion: str
    names: dict[Side, str]
    phase: Phase
    started_at: float | None = None
    participants: tuple[ParticipantView, ...]
    broadcast: BroadcastState
    rehearsal: bool
    scene: SceneChoice = SceneChoice()
    """What the host wants to be shown."""
    bridge_session: SessionId | None = None
    """Session of the hidden peer; debaters open their second connection to it. None: close it."""
    host: HostView | None = None


class You(Message):
    """Who the server says you are."""

    seat: Literal["host", "proposition", "opposition", "bridge"]
    session: SessionId
    generation: int


class IceServer(Message):
    """W3C RTCIceServer."""

    urls: str
    username: str | None = None
    credential: str | None = None


class JoinAck(Message):
    """Answer to `join`."""

    ok: Literal[True] = True
    you: You
    polite: bool
    ice_servers: tuple[IceServer, ...]
    room: RoomView


class Ack(Message):
    """Answer to every other event."""

    ok: Literal[True] = True


class ErrorAck(Message):
    """Answer to an event that was refused; nothing has changed."""

    ok: Literal[False] = False
    error: ErrorBody


class Leave(Message):
    """`leave`: give the seat back."""


class Replaced(Message):
    """`replaced`: the same tab, or the same token, has joined anew; this connection is over."""

    message: str


EVENTS_TO_SERVER: Final[dict[str, type[Message]]] = {
    "join": Join,
    "signal": Signal,
    "media": MediaState,
    "health": Health,
    "leave": Leave,
    "report": BroadcastReport,
    "levels": Levels,
}
EVENTS_TO_CLIENT: Final[dict[str, type[Message]]] = {
    "room": RoomView,
    "signal": SignalFrom,
    "levels": Levels,
    "replaced": Replaced,
}


def dump(message: Message) -> dict[str, Any]:
    """Message as JSON-ready values, with the names of the wire and without empty options."""
    return message.model_dump(mode="json", by_alias=True, exclude_none=True)
