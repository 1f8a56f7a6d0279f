"""The operator's settings: defaults, then a TOML file, then `BRIDGE_*` variables, then options."""

import re
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import BeforeValidator, Field, HttpUrl, SecretStr, model_validator
from pydantic.networks import IPvAnyAddress
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

PROJECT = Path(__file__).resolve().parent.parent
SELF_SIGNED: Final = "self-signed"
_STUN_URL: Final = re.compile(r"stuns?:(\[[\da-fA-F:.]+\]|[\w.-]+)(:\d{1,5})?")
_TURN_URL: Final = re.compile(
    r"turns?:(\[[\da-fA-F:.]+\]|[\w.-]+)(:\d{1,5})?(\?transport=(udp|tcp))?"
)
_URL_EXAMPLES: Final = {
    "stun_urls": "stun:host:3478",
    "turn_urls": "turn:host:3478?transport=udp, ...?transport=tcp or turns:host:5349",
}


def _split(value: object) -> object:
    """Words between commas or spaces; in TOML it may be a list."""
    return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value


def _port_range(value: object) -> object:
    """Both ends of "40000-40100"."""
    if not isinstance(value, str):
        return value
    found = re.fullmatch(r"\s*(\d{1,5})\s*-\s*(\d{1,5})\s*", value)
    if found is None or not 1024 <= int(found[1]) <= int(found[2]) <= 65535:
        message = 'ports are written "40000-40100", from 1024 to 65535'
        raise ValueError(message)
    return int(found[1]), int(found[2])


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
Addresses = Annotated[tuple[IPvAnyAddress, ...], NoDecode, BeforeValidator(_split)]
PortRange = Annotated[tuple[int, int], NoDecode, BeforeValidator(_port_range)]


def web_folder() -> Path:
    """Templates, scripts, themes and fonts: inside the wheel, or beside `bridge/` in a checkout."""
    packaged = Path(__file__).resolve().parent / "_web"
    return packaged if packaged.is_dir() else PROJECT / "web"


_CANVASES: Final[dict[str, dict[str, int]]] = {
    "720p30": {},
    "1080p30": {"width": 1920, "height": 1080, "video_kbps": 6000},
    # Parts and segments as long as at 30 pictures a second.
    "720p60": {"fps": 60, "part_frames": 24, "segment_frames": 120, "video_kbps": 6000},
    "540p30": {"width": 960, "height": 540, "video_kbps": 2500},
}


class Settings(BaseSettings):
    """What an operator can change. Every field is `BRIDGE_<NAME>` in the environment."""

    model_config = SettingsConfigDict(env_prefix="BRIDGE_", extra="forbid", frozen=True)

    host: str = "127.0.0.1"
    """Address to listen on. `0.0.0.0` for the whole network (browsers then want HTTPS)."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    """Port to listen on; 0 lets the system choose."""
    public_url: HttpUrl | None = None
    """What people type to get here; links are made from it. Default: http://localhost:PORT."""
    tls: Literal["self-signed"] | Path | None = None
    """HTTPS: "self-signed" makes an authority and a certificate for this machine's names and
    addresses; or the path of a certificate chain in PEM form, with `tls_key`. With TLS and without
    a `host` the server listens on every address."""
    tls_key: Path | None = None
    """Private key of the certificate `tls`, in PEM form."""
    show_invites: bool | None = None
    """Print links and QR codes of each new debate on standard output. They are secret. Default:
    only with a self-signed certificate, and only when standard output is a terminal."""
    data_dir: Path = PROJECT / "recordings"
    """Rooms, secrets and recordings. Made at first start with mode 0700."""
    log_level: str = "info"
    """debug, info, warning or error."""

    canvas: Literal["720p30", "1080p30", "720p60", "540p30"] = "720p30"
    """Size, pace and bit rate in one word; what is set below by itself wins."""
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
    encoder: Literal["x264", "nvenc", "qsv", "vaapi", "auto"] = "x264"
    """What encodes the picture: the processor, or a graphics card by NVENC, Quick Sync or VA-API.
    "auto" takes the first card that works, or x264. `debate-bridge doctor` tells which do."""
    preset: str = "veryfast"
    """x264 preset."""
    encoder_threads: Annotated[int, Field(ge=1, le=16)] = 1
    """x264 threads. One is enough for 720p30 and the cheapest: slices cost bits and CPU."""
    ladder: Annotated[tuple[Literal["360p", "audio"], ...], NoDecode, BeforeValidator(_split)] = ()
    """Renditions for HLS beside the programme: "360p" for thin lines, "audio" for sound alone. The
    first costs another encoder, the second nothing."""
    playout_delay_ms: Annotated[int, Field(ge=0, le=1000)] = 250
    """How far behind arrival both debaters are shown at least, so that lips and words align."""
    max_playout_delay_ms: Annotated[int, Field(ge=0, le=1000)] = 1000
    """The most it grows to while a debater's network loses or delays packets."""
    theme: str = "classic"
    """Folder name under `web/themes`."""
    logo: Path | None = None
    """Sponsor's logo for the themes: PNG, JPEG or WebP, at most 256 KiB."""
    stereo: bool = True
    """Place the debaters a little apart, the first to the left; false: both in the middle."""

    ffmpeg: Path | None = None
    """ffmpeg binary for finishing recordings. Default: PATH, then the one in imageio-ffmpeg."""
    stun_urls: Words = ()
    """STUN servers for browsers, as `stun:host:port`. Not needed on one machine or one LAN."""
    turn_urls: Words = ()
    """TURN servers for browsers, as `turn:host:port?transport=udp` or `turns:host:port`."""
    turn_secret: SecretStr | None = None
    """What coturn has as `static-auth-secret`: every join gets credentials of its own from it."""
    turn_lifetime_hours: Annotated[int, Field(ge=1, le=168)] = 12
    """How long such credentials hold. Longer than any debate: they are renewed at a join only."""
    turn_username: str | None = None
    turn_password: SecretStr | None = None
    """Fixed credentials, for a TURN server without a shared secret. Everybody gets the same."""
    public_address: Addresses = ()
    """The bridge's address as the Internet sees it, behind a NAT that keeps ports (1:1)."""
    advertise_private: bool = True
    """Tell browsers the private address beside the public one: the short way on the same LAN."""
    udp_ports: PortRange | None = None
    """Ports for media, as "40000-40100". Each debater takes one of each address."""
    udp_interfaces: Words = ()
    """Interfaces, or addresses, for media. Default: all but loopback."""
    udp_ipv6: bool = True
    """Whether media may come by IPv6."""
    refuse_private_candidates: bool = False
    """Send nothing to private addresses that browsers name: nobody explores our LAN that way."""
    allow_private_destinations: bool = False
    """Let hosts push RTMP to private and loopback addresses. For tests and closed networks."""
    s3_bucket: str | None = None
    """Copy finished recordings to this bucket of Amazon S3, or of a store that speaks its protocol.
    Nothing is deleted there."""
    s3_prefix: str = ""
    """Folder in the bucket."""
    s3_endpoint: str | None = None
    """Address of the store, `https://...`. Default: Amazon's."""
    s3_region: str = "us-east-1"
    s3_access_key: SecretStr | None = None
    s3_secret_key: SecretStr | None = None
    retention_days: Annotated[int, Field(ge=1, le=36_500)] | None = None
    """Delete recordings so many days after their debate. Default: keep them."""
    dvr: bool = True
    """Keep the segments of debates on air on the disk: viewers can rewind to the beginning, watch
    again the moment it ends, and go on where they were when the server starts again. Takes as much
    space as the recording."""
    window_segments: Annotated[int, Field(ge=6, le=60)] = 10
    """Segments in the live playlist."""
    max_held_requests: Annotated[int, Field(ge=10)] = 10_000
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

    @model_validator(mode="before")
    @classmethod
    def _canvas_in_one_word(cls, given: dict[str, object]) -> dict[str, object]:
        return {**_CANVASES.get(str(given.get("canvas", "720p30")), {}), **given}

    @model_validator(mode="after")
    def _grid_divides(self) -> Self:
        if self.segment_frames % self.part_frames:
            message = "segment_frames must be a whole number of part_frames"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _key_fits_certificate(self) -> Self:
        if isinstance(self.tls, Path) and self.tls_key is None:
            message = "a certificate needs its key: --tls CERT KEY, or BRIDGE_TLS_KEY"
            raise ValueError(message)
        if self.tls_key is not None and not isinstance(self.tls, Path):
            message = "a key is only for a certificate: --tls CERT KEY, or BRIDGE_TLS"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _bucket_has_keys(self) -> Self:
        if self.s3_bucket and not (self.s3_access_key and self.s3_secret_key):
            message = "a bucket needs s3_access_key and s3_secret_key"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _servers_can_be_used(self) -> Self:
        for name, urls, shape in (
            ("stun_urls", self.stun_urls, _STUN_URL),
            ("turn_urls", self.turn_urls, _TURN_URL),
        ):
            for url in urls:
                if shape.fullmatch(url) is None:
                    message = f"{name}: {url!r} is none; write {_URL_EXAMPLES[name]}"
                    raise ValueError(message)
        fixed = (self.turn_username is not None, self.turn_password is not None)
        if any(fixed) and (not all(fixed) or self.turn_secret is not None):
            message = "TURN takes turn_secret, or turn_username with turn_password, and not both"
            raise ValueError(message)
        if self.turn_urls and not (self.turn_secret or all(fixed)):
            message = "turn_urls need credentials: turn_secret, or turn_username and turn_password"
            raise ValueError(message)
        return self

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be logged."""
        hidden = (self.turn_secret, self.turn_password, self.s3_access_key, self.s3_secret_key)
        return tuple(secret.get_secret_value() for secret in hidden if secret is not None)

    @property
    def listening_host(self) -> str:
        """`host`; with TLS, which is for other devices, every address unless one was chosen."""
        every = self.tls is not None and "host" not in self.model_fields_set
        return "0.0.0.0" if every else self.host  # noqa: S104 - what TLS is asked for

    @property
    def base_url(self) -> str:
        """Start of every absolute link, without a slash at the end."""
        if self.public_url is not None:
            return str(self.public_url).rstrip("/")
        name = "localhost" if self.host in {"127.0.0.1", "0.0.0.0", "::"} else self.host  # noqa: S104
        return f"{'https' if self.tls else 'http'}://{name}:{self.port}"
