"""What the server writes to a broadcast's standard input, a line of JSON each.

The first is a BroadcastConfig, each after it a BroadcastOrder. Standard input stays open for the
broadcast's life; its end asks the broadcast to end in order, so a broadcast never outlives its
server. Secrets travel here because argv and environment are public.
"""

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.networks import IPvAnyAddress

from bridge.protocol.events import MAX_TEXT
from bridge.protocol.messages import OutputState
from bridge.rooms.model import Side


class DestinationConfig(BaseModel):
    """One RTMP destination."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    url: str
    """With the stream key: a secret."""


class CanvasConfig(BaseModel):
    """Picture, grid and rates of the programme; see `Settings` for each field."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    width: int = 1280
    height: int = 720
    fps: int = 30
    part_frames: int = 12
    segment_frames: int = 60
    video_kbps: int = 4000
    audio_kbps: int = 128
    encoder: Literal["x264", "nvenc", "qsv", "vaapi", "auto"] = "x264"
    preset: str = "veryfast"
    encoder_threads: int = 1
    ladder: tuple[str, ...] = ()


class RecordingConfig(BaseModel):
    """Where this broadcast appends its part of the recording."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: Path
    """Exists already; `programme-<number>.part.mp4` is created in it exclusively."""
    number: Annotated[int, Field(ge=1)]
    """1 for the first broadcast of a debate, one more for each restart."""
    isolated: bool = False
    """Whether each debater's own tracks are kept too, as they came."""


class NetworkConfig(BaseModel):
    """Where debaters' media reaches the broadcast; see `Settings` for each field."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    public_address: tuple[IPvAnyAddress, ...] = ()
    advertise_private: bool = True
    udp_ports: tuple[int, int] | None = None
    """Lowest and highest."""
    udp_interfaces: tuple[str, ...] = ()
    udp_ipv6: bool = True
    refuse_private_candidates: bool = False


ANYWHERE: Final = NetworkConfig()
"""Every address of the machine, ports of the system's choice."""


class BroadcastConfig(BaseModel):
    """Everything a broadcast process is told."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    server_url: str
    """Loopback address of the server, for Socket.IO and uploads."""
    token: str
    """Signed, role broadcast, for this room only."""
    room: str
    programme: str
    """Name in the origin: the room's id, or a secret name for a rehearsal."""
    motion: str
    names: dict[Side, str]
    theme: str = "classic"
    logo: Path | None = None
    """A picture of the sponsor's."""
    stereo: bool = True
    """Whether the debaters are placed apart."""
    canvas: CanvasConfig = CanvasConfig()
    network: NetworkConfig = NetworkConfig()
    playout_delay_ms: int = 250
    max_playout_delay_ms: int = 1000
    destinations: tuple[DestinationConfig, ...] = ()
    recording: RecordingConfig | None = None
    allow_private_destinations: bool = False
    log_level: str = "info"


class BroadcastOrder(BaseModel):
    """What a broadcast on air is told to do differently."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    destinations: tuple[DestinationConfig, ...] | None = None
    """All that there are from now on; None: as before."""
    retry: str | None = None
    """Id of a destination that shall not wait any longer before its next try."""
    mark: Annotated[str, Field(max_length=MAX_TEXT)] | None = None
    """A marker for the recording, at this moment of the programme."""


class TrialConfig(BaseModel):
    """What a trial of one destination is told on its standard input."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str
    """With the stream key: a secret."""
    allow_private: bool = False
    canvas: CanvasConfig = CanvasConfig()
    seconds: float = 12.0
    """At most."""


class TrialReport(BaseModel):
    """How a trial went."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ok: bool
    state: OutputState
    detail: str = ""
    """In words, without the key."""
    sent_bytes: int = 0
