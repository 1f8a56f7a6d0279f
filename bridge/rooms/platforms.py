"""The platforms that debates are sent to: their addresses and what they take. Pure.

Addresses and limits as in the notes on reliability, section 1; read there where each comes from.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """One platform's way in. The key is appended to `ingest`."""

    name: str
    """For programs: how the API calls it."""
    label: str
    """For people, without the key."""
    ingest: str
    """Up to and with the slash before the key."""
    hosts: tuple[str, ...]
    """Ends of host names by which an address of it is known."""
    most_kbps: int
    """Of the picture; more is refused, or thrown away, by the platform."""
    test_query: str = ""
    """What the key is followed by so that the platform measures and shows nobody anything."""

    def url(self, key: str) -> str:
        """Return the address with a stream key: a secret."""
        return self.ingest + key


TWITCH: Final = Platform(
    name="twitch",
    label="Twitch",
    ingest="rtmps://ingest.global-contribute.live-video.net:443/app/",
    hosts=("twitch.tv", "live-video.net"),
    most_kbps=6000,
    test_query="bandwidthtest=true",
)
YOUTUBE: Final = Platform(
    name="youtube",
    label="YouTube",
    ingest="rtmps://a.rtmps.youtube.com:443/live2/",
    hosts=("youtube.com",),
    most_kbps=10_000,
)
YOUTUBE_BACKUP: Final = Platform(
    name="youtube-backup",
    label="YouTube, backup",
    ingest="rtmps://b.rtmps.youtube.com:443/live2?backup=1/",
    hosts=(),
    most_kbps=YOUTUBE.most_kbps,
)
FACEBOOK: Final = Platform(
    name="facebook",
    label="Facebook",
    ingest="rtmps://live-api-s.facebook.com:443/rtmp/",
    hosts=("facebook.com",),
    most_kbps=6000,
)
RESTREAM: Final = Platform(
    name="restream",
    label="Restream",
    ingest="rtmp://live.restream.io/live/",
    hosts=("restream.io",),
    most_kbps=10_000,
)
PLATFORMS: Final[Mapping[str, Platform]] = MappingProxyType(
    {each.name: each for each in (TWITCH, YOUTUBE, YOUTUBE_BACKUP, FACEBOOK, RESTREAM)}
)


def platform_of(url: str) -> Platform | None:
    """Return the platform that an address belongs to, by its host; None for any other server."""
    if url.startswith(YOUTUBE_BACKUP.ingest):
        return YOUTUBE_BACKUP
    host = f".{(urlsplit(url).hostname or '').rstrip('.').lower()}"
    for platform in PLATFORMS.values():
        if any(host.endswith(f".{known}") for known in platform.hosts):
            return platform
    return None


def label(url: str) -> str:
    """Return what people call the destination: the platform, or else the server's name."""
    platform = platform_of(url)
    return platform.label if platform else urlsplit(url).hostname or "RTMP"


def trial_url(url: str) -> str:
    """Return the address under which the platform shows nobody what comes, if it has one."""
    platform = platform_of(url)
    if platform is None or not platform.test_query or platform.test_query in url:
        return url
    return f"{url}{'&' if '?' in url else '?'}{platform.test_query}"


def warning(url: str, kbps: int) -> str:
    """Say what the platform would not like of the programme; empty when it is fine."""
    platform = platform_of(url)
    if platform is None or kbps <= platform.most_kbps:
        return ""
    return (
        f"{platform.label} takes {platform.most_kbps} kb/s at most, and the programme has {kbps}. "
        "Set BRIDGE_VIDEO_KBPS lower."
    )
