"""Addresses of destinations as people write them, checked at the door."""

import ipaddress
import socket
import unicodedata
from collections.abc import Iterable
from typing import Annotated, Final, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from bridge.errors import InputError
from bridge.rooms.platforms import PLATFORMS

_SCHEMES: Final = {"rtmp", "rtmps"}
_INSIDE: Final = (".localhost", ".local", ".internal")


def plain(text: str) -> str:
    """Return `text`. Raises ValueError for control characters."""
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in text):
        message = "control characters are not allowed"
        raise ValueError(message)
    return text


def _destination(url: str) -> str:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in _SCHEMES and parts.hostname and parts.path.strip("/")
        _ = parts.port
    except ValueError:
        valid = None
    if not valid or any(character.isspace() for character in url):
        message = (
            "SRT cannot be sent here yet; use the RTMP address that the platform gives"
            if url.startswith("srt:")
            else "an RTMP address looks like rtmp://server/app/stream-key"
        )
        raise ValueError(message)
    return url


DestinationUrl = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=1000),
    AfterValidator(plain),
    AfterValidator(_destination),
]


StreamKey = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=4, max_length=300, pattern=r"^[A-Za-z0-9_\-?=&%.~:+]+$"
    ),
]


def _known(name: str) -> str:
    if name not in PLATFORMS:
        message = f"there is no platform of this name; there are {', '.join(PLATFORMS)}"
        raise ValueError(message)
    return name


class NewDestination(BaseModel):
    """A platform with a stream key, or a whole address; a string is an address."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    platform: Annotated[str, AfterValidator(_known)] | None = None
    key: StreamKey | None = Field(default=None, repr=False)
    url: DestinationUrl | None = Field(default=None, repr=False)

    @model_validator(mode="before")
    @classmethod
    def _address_alone(cls, given: object) -> object:
        return {"url": given} if isinstance(given, str) else given

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.platform is None) != (self.key is None) or (self.url is None) == (
            self.platform is None
        ):
            message = "give a platform and its stream key, or a whole address"
            raise ValueError(message)
        return self

    @property
    def address(self) -> str:
        """The whole address: a secret."""
        if self.platform is not None and self.key is not None:
            return PLATFORMS[self.platform].url(self.key)
        return self.url or ""


def refuse_private(urls: Iterable[str]) -> None:
    """Raise InputError for destinations that are plainly inside our own network."""
    for url in urls:
        if _inside(urlsplit(url).hostname or ""):
            message = (
                "destinations: this address is inside a private network. "
                "The operator can allow that with BRIDGE_ALLOW_PRIVATE_DESTINATIONS."
            )
            raise InputError(message, code="private_destination")


def _inside(host: str) -> bool:
    """Whether a host says by itself that it is not on the public Internet. Resolves nothing."""
    name = host.rstrip(".")
    try:
        # The short and hexadecimal forms that the system's resolver takes for an address, too.
        packed = socket.inet_aton(name)
    except OSError:
        packed = None
    try:
        address = ipaddress.ip_address(packed or name.partition("%")[0])
    except ValueError:
        return f".{name}".endswith(_INSIDE)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return not (mapped or address).is_global or address.is_multicast
