"""Platforms are known by their addresses, and their rules are checked before a debate."""

import pytest

from bridge.rooms.platforms import PLATFORMS, TWITCH, platform_of, trial_url, warning

KEY = "live_1234_abcdef"


@pytest.mark.parametrize("platform", PLATFORMS.values(), ids=lambda platform: platform.name)
def test_a_preset_is_known_by_its_own_address(platform) -> None:
    assert platform_of(platform.url(KEY)) is platform


@pytest.mark.parametrize(
    "url",
    [
        "rtmp://live.example/app/key",
        "rtmp://nottwitch.tv.example/app/key",
        "rtmp://eviltwitch.tv/app/key",
        "rtmp:///app/key",
    ],
)
def test_other_servers_are_no_platform(url: str) -> None:
    assert platform_of(url) is None


def test_an_ingest_point_of_twitch_that_a_host_chose_is_twitch() -> None:
    assert platform_of("rtmp://fra05.contribute.live-video.net/app/key") is TWITCH
    assert platform_of("rtmp://live.TWITCH.tv./app/key") is TWITCH


def test_a_test_of_twitch_is_seen_by_nobody() -> None:
    tested = trial_url(TWITCH.url(KEY))
    assert tested.endswith(f"/{KEY}?bandwidthtest=true")
    assert trial_url(tested) == tested
    assert trial_url("rtmp://live.example/app/key") == "rtmp://live.example/app/key"


def test_a_bit_rate_above_the_platforms_is_warned_of() -> None:
    assert warning(TWITCH.url(KEY), 6000) == ""
    assert "6000 kb/s" in warning(TWITCH.url(KEY), 8000)
    assert KEY not in warning(TWITCH.url(KEY), 8000)
    assert warning("rtmp://live.example/app/key", 20_000) == ""
