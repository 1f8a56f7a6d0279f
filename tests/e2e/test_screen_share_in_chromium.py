"""What debaters switch on and off by clicks is what everybody sees in the programme."""

import re
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
from playwright.async_api import Page, async_playwright

from bridge.protocol.messages import IngestState
from bridge.rooms.model import Side
from tests.e2e.browsers import chromium, make_devices
from tests.e2e.programme_probe import (
    CONNECTING_RING,
    FROZEN_ICON,
    LEFT_TILE,
    LOWER_SMALL_TILE,
    MUTED_BADGE,
    RIGHT_TILE,
    SCREEN_TILE,
    UPPER_SMALL_TILE,
    Box,
    Picture,
    newest_picture,
    region,
    save_png,
)
from tests.e2e.stack import Bridge, HeadlessDebater, HostEye
from tests.e2e.test_on_air_in_chromium import take_seat
from tests.helpers import until

RED, GREEN, BLUE = range(3)


class Viewer:
    """Looks at a room's HLS as it comes, and keeps what was seen."""

    def __init__(self, bridge: Bridge, room: str, artefacts: Path) -> None:
        self._bridge = bridge
        self._room = room
        self._artefacts = artefacts
        self.newest: Picture | None = None

    async def sees(self, *places: tuple[Box, int | None], what: str) -> float:
        """Wait until each box has its main colour, or none; returns how many seconds it took."""
        begin = time.monotonic()

        async def as_wanted() -> bool:
            self.newest = await newest_picture(self._bridge.fetch, f"/live/{self._room}/")
            return all(main_colour(self.newest, box) == colour for box, colour in places)

        await self._until(as_wanted, what)
        return time.monotonic() - begin

    async def marked(self, *, badge: bool, ring: bool, what: str) -> None:
        """Wait until the left tile has the frozen badge, or the connecting slate's ring, or not."""

        async def as_wanted() -> bool:
            self.newest = await newest_picture(self._bridge.fetch, f"/live/{self._room}/")
            amber = tuple(has_amber(self.newest, box) for box in (FROZEN_ICON, CONNECTING_RING))
            return amber == (badge, ring)

        await self._until(as_wanted, what)

    async def _until(self, condition: Callable[[], Awaitable[bool]], what: str) -> None:
        await until(condition, f"the programme shows {what}", seconds=30)
        assert self.newest is not None
        save_png(self.newest, self._artefacts / f"programme-{what.replace(' ', '-')}.png")


def main_colour(picture: Picture, box: Box) -> int | None:
    """Red, green or blue, where one of them is far above the others."""
    levels = region(picture, box)
    main = int(levels.argmax())
    return main if sorted(levels)[-1] > sorted(levels)[-2] + 60 else None


def has_amber(picture: Picture, box: Box) -> bool:
    """Whether the colour of warnings takes up a hundredth of the box."""
    height, width = picture.shape[:2]
    left, top, right, bottom = box
    part = picture[int(top * height) : int(bottom * height), int(left * width) : int(right * width)]
    return bool((np.abs(part.astype(int) - (242, 184, 75)).max(axis=2) < 40).mean() > 0.01)


async def test_screen_camera_and_mute_are_seen_in_the_programme(bridge, tmp_path, artefacts):
    red = await make_devices(tmp_path, "red", "0xc01818", 440)
    blue = await make_devices(tmp_path, "blue", "0x1818c0", 660)
    room = await bridge.create()
    viewer = Viewer(bridge, room["id"], artefacts)
    async with (
        async_playwright() as playwright,
        chromium(playwright, red) as left_browser,
        chromium(playwright, blue) as right_browser,
    ):
        left, right = await left_browser.new_page(), await right_browser.new_page()
        await take_seat(left, links(room, "proposition"))
        await take_seat(right, links(room, "opposition"))
        await bridge.call("POST", f"/api/v1/rooms/{room['id']}/start", token=room["host_token"])
        await until(lambda: begun(bridge, room), "the programme has begun")
        side_by_side = ((LEFT_TILE, RED), (RIGHT_TILE, BLUE))
        await viewer.sees(*side_by_side, what="side by side")

        # Chromium's fake screen is green.
        await right.get_by_test_id("share").click()
        screen = ((SCREEN_TILE, GREEN), (UPPER_SMALL_TILE, RED), (LOWER_SMALL_TILE, BLUE))
        cut = await viewer.sees(*screen, what="the screen")
        assert cut < 8
        await mute(left)
        await right.get_by_test_id("share").click()
        back = await viewer.sees(*side_by_side, what="side by side again")
        assert back < 8

        await viewer.sees(*side_by_side, (MUTED_BADGE, None), what="the muted badge")
        await mute(left)
        await viewer.sees(*side_by_side, (MUTED_BADGE, RED), what="no badge")

        await left.get_by_test_id("camera").click()
        off = await viewer.sees((LEFT_TILE, None), (RIGHT_TILE, BLUE), what="the camera off slate")
        assert off < 8
        await left.get_by_test_id("camera").click()
        await viewer.sees(*side_by_side, what="the camera on")


async def test_a_frozen_picture_is_marked_and_then_its_debater_is_connecting(bridge, artefacts):
    room = await bridge.create()
    viewer = Viewer(bridge, room["id"], artefacts)
    async with (
        HostEye(room["links"]["host"]) as eye,
        HeadlessDebater(room["links"]["proposition"]) as debater,
    ):
        await bridge.call("POST", f"/api/v1/rooms/{room['id']}/start", token=room["host_token"])
        await until(lambda: begun(bridge, room), "the programme has begun")
        await until(
            lambda: eye.ingest(Side.PROPOSITION) is IngestState.RECEIVING, "the debater is received"
        )
        await viewer.marked(badge=False, ring=False, what="the debater")
        assert debater.process is not None
        debater.process.send_signal(signal.SIGSTOP)
        try:
            stopped = time.monotonic()
            await viewer.marked(badge=True, ring=False, what="the frozen badge")
            frozen = time.monotonic() - stopped
            await viewer.marked(badge=False, ring=True, what="the connecting slate")
            slate = time.monotonic() - stopped
        finally:
            debater.process.send_signal(signal.SIGCONT)
        assert 1 < frozen < 3
        assert 3 < slate < 5, "three seconds, and what HLS adds"
        await viewer.marked(badge=False, ring=False, what="the debater again")


async def mute(page: Page) -> None:
    await page.get_by_test_id("mute").click()


def links(room: dict, side: str) -> str:
    return str(room["links"][side]).replace("localhost", "127.0.0.1")


async def begun(bridge: Bridge, room: dict) -> bool:
    text = await bridge.fetch(f"/live/{room['id']}/source.m3u8", absent_is_empty=True)
    return bool(re.search(rb"#EXT-X-PART:.*INDEPENDENT=YES", text))
