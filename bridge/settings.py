"""The operator's settings: defaults, then a TOML file, then `BRIDGE_*` variables, then options."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, HttpUrl, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

PROJECT = Path(__file__).resolve().parent.parent


def web_folder() -> Path:
    """Templates, scripts, themes and fonts: inside the wheel, or beside `bridge/` in a checkout."""
    packaged = Path(__file__).resolve().parent / "_web"
    return packaged if packaged.is_dir() else PROJECT / "web"


class Settings(BaseSettings):
    """What an operator can change. Every field is `BRIDGE_<NAME>` in the environment."""

    model_config = SettingsConfigDict(env_prefix="BRIDGE_", extra="forbid", frozen=True)

    host: str = "127.0.0.1"
    """Address to listen on. `0.0.0.0` for the whole network (browsers then want HTTPS)."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    """Port to listen on; 0 lets the system choose."""
    public_url: HttpUrl | None = None
    """What people type to get here; links are made from it. Default: http://localhost:PORT."""
    data_dir: Path = PROJECT / "recordings"
    """Rooms, secrets and recordings. Made at first start with mode 0700."""
    log_level: str = "info"
    """debug, info, warning or error."""

    width: Annotated[int, Field(ge=320, le=1920, multiple_of=2)] = 1280
    height: Annotated[int, Field(ge=180, le=1920, multiple_of=2)] = 720
    """Size of the programme, in pixels."""
    fps: Annotated[int, Field(ge=15, le=60)] = 30
    """Pictures per second of the programme."""
    part_frames: Annotated[int, Field(ge=1)] = 12
    """Pictures per Low-Latency HLS part: 12 at 30 fps is 0.4 s."""
    segment_frames: Annotated[int, Field(ge=1)] = 60
    """Pictures per segment and per closed GOP: 60 at 30 fps is 2 s, what RTMP platforms ask for."""
    video_kbps: Annotated[int, Field(ge=100, le=20_000)] = 4000
    """Constant video bit rate; 4000 fits Twitch, YouTube and Facebook at 720p30."""
    audio_kbps: Annotated[int, Field(ge=32, le=320)] = 128
    """AAC bit rate."""
    preset: str = "veryfast"
    """x264 preset."""
    encoder_threads: Annotated[int, Field(ge=1, le=16)] = 1
    """x264 threads. One is enough for 720p30 and the cheapest: slices cost bits and CPU."""
    playout_delay_ms: Annotated[int, Field(ge=0, le=2000)] = 250
    """How far behind arrival both debaters are shown, so that their sound and pictures align."""
    theme: str = "classic"
    """Folder name under `web/themes`."""

    ffmpeg: Path | None = None
    """ffmpeg binary for finishing recordings. Default: PATH, then the one in imageio-ffmpeg."""
    ice_servers: tuple[str, ...] = ()
    """STUN or TURN URLs given to browsers. Not needed on one machine or one LAN."""
    allow_private_destinations: bool = False
    """Let hosts push RTMP to private and loopback addresses. For tests and closed networks."""
    window_segments: Annotated[int, Field(ge=6, le=60)] = 10
    """Segments in the live playlist."""
    max_held_requests: Annotated[int, Field(ge=10)] = 4000
    """Blocked playlist and part requests held at once; above it 503 with Retry-After."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Options win over environment over `bridge.toml` in the working directory."""
        toml = TomlConfigSettingsSource(settings_cls, Path("bridge.toml"))
        return init_settings, env_settings, toml

    @model_validator(mode="after")
    def _grid_divides(self) -> Self:
        if self.segment_frames % self.part_frames:
            message = "segment_frames must be a whole number of part_frames"
            raise ValueError(message)
        return self

    @property
    def base_url(self) -> str:
        """Start of every absolute link, without a slash at the end."""
        if self.public_url is not None:
            return str(self.public_url).rstrip("/")
        name = "localhost" if self.host in {"127.0.0.1", "0.0.0.0", "::"} else self.host  # noqa: S104
        return f"http://{name}:{self.port}"
