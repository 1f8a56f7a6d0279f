"""Firefox debates with Chromium, by clicks alone: each sees the other, and viewers see both."""

import re
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from playwright.async_api import Page, async_playwright

from bridge.protocol.messages import IngestState, ParticipantView
from bridge.rooms.model import Side
from tests.e2e.browsers import chromium, make_devices
from tests.e2e.firefox import Firefox, FirefoxPage
from tests.e2e.programme_probe import (
    RIGHT_TILE,
    Box,
    Picture,
    newest_picture,
    region,
    save_png,
)
from tests.e2e.stack import Bridge, HeadlessDebater, HostEye
from tests.helpers import until

BACK_WITHIN = 10
CHROMIUM_TILE = (0.02, 0.23, 0.49, 0.40)
"""The upper part of the left tile, through which the box of its camera moves."""
FIREFOX_BADGE = (0.528, 0.76, 0.560, 0.83)
"""Where the right tile shows that its debater is muted."""
FIREFOX_CORNER = (0.52, 0.23, 0.60, 0.35)
"""Of the right tile: dark on a slate, and never in the colours of Firefox's camera."""
_DECODED = """async () => {
  let pictures = 0;
  for (const item of (await window.__debate.peer()?.getStats())?.values() ?? [])
    if (item.type === "inbound-rtp" && item.kind === "video") pictures += item.framesDecoded ?? 0;
  return pictures;
}"""
_PLAYED = """() => {
  const video = document.getElementById("programme");
  return video.readyState >= 3 && video.videoWidth === 1280 ? video.currentTime : 0;
}"""


class Viewer:
    """Looks at a room's HLS as it comes."""

    def __init__(self, bridge: Bridge, room: str) -> None:
        self._bridge = bridge
        self._base = f"/live/{room}/"
        self.newest: Picture = np.zeros((720, 1280, 3), np.uint8)

    async def sees_moving(self, *boxes: Box, what: str) -> None:
        """Wait until a box differs, three times, from the picture before; and so each of them."""
        for box in boxes:
            seen = 0

            def moves(change: Callable[[Box], float], box: Box = box) -> bool:
                nonlocal seen
                seen += change(box) > 2
                return seen == 3

            await self._until(moves, what)

    async def sees_still(self, box: Box, *, moving: Box, what: str) -> None:
        """Wait until one box does not change for three pictures that differ in the other."""
        still = 0

        def seen(change: Callable[[Box], float]) -> bool:
            nonlocal still
            if change(box) > 2:
                still = 0
            elif change(moving) > 2:
                still += 1
            return still == 3

        await self._until(seen, what)

    async def _until(self, seen: Callable[[Callable[[Box], float]], bool], what: str) -> None:
        async def look() -> bool:
            last, self.newest = self.newest, await newest_picture(self._bridge.fetch, self._base)
            return seen(partial(difference, last, self.newest))

        await until(look, what)


def difference(one: Picture, other: Picture, box: Box) -> float:
    """Mean absolute difference of two pictures in a box, in grey levels."""
    height, width = one.shape[:2]
    left, top, right, bottom = box
    rows = slice(int(top * height), int(bottom * height))
    columns = slice(int(left * width), int(right * width))
    return float(np.abs(one[rows, columns].astype(int) - other[rows, columns]).mean())


def loopback(link: str) -> str:
    return link.replace("localhost", "127.0.0.1")


def opposition(eye: HostEye) -> ParticipantView | None:
    """The newest joining of Firefox's seat, if there is one at present."""
    assert eye.room is not None
    joined = [one for one in eye.room.participants if one.seat is Side.OPPOSITION]
    return max(joined, key=lambda one: one.generation, default=None)


def both_received(eye: HostEye) -> bool:
    return {eye.ingest(side) for side in Side} == {IngestState.RECEIVING}


async def see_each_other(left: Page, right: FirefoxPage) -> None:
    """Wait until both decode pictures that have come from the opponent directly."""
    for page in (left, right):
        before = await page.evaluate(_DECODED)

        async def more(page: Page | FirefoxPage = page, before: int = before) -> bool:
            return bool(await page.evaluate(_DECODED) > before + 5)

        await until(more, "the opponent's pictures are decoded")


async def begun(bridge: Bridge, room: dict) -> bool:
    path = f"/live/{room['id']}/source.m3u8"
    return b"INDEPENDENT=YES" in await bridge.fetch(path, absent_is_empty=True)


async def stage_of(firefox: Firefox, link: str) -> FirefoxPage:
    """Through the green room like a person."""
    page = await firefox.new_page()
    await page.goto(loopback(link))
    await page.wait_for("document.querySelector('#preview').videoWidth", "one sees oneself")
    await page.press("Enter the debate")
    await page.wait_for("document.querySelector('main').dataset.state === 'stage'", "the stage")
    return page


@pytest.mark.timeout(120)
async def test_firefox_and_chromium_debate(bridge, tmp_path, artefacts):
    devices = await make_devices(tmp_path, "red", "0xc01818", 440)
    room = await bridge.create()
    async with (
        async_playwright() as playwright,
        chromium(playwright, devices) as browser,
        Firefox() as firefox,
        HostEye(room["links"]["host"]) as eye,
    ):
        left = await browser.new_page()
        await left.goto(loopback(room["links"]["proposition"]))
        await left.get_by_role("button", name="Enter the debate").click()
        right = await stage_of(firefox, room["links"]["opposition"])
        await see_each_other(left, right)

        await bridge.call("POST", f"/api/v1/rooms/{room['id']}/start", token=room["host_token"])
        await until(partial(both_received, eye), "both are received")
        await check_candidates(right)
        await until(partial(begun, bridge, room), "the programme has begun")
        viewer = Viewer(bridge, room["id"])
        await viewer.sees_moving(CHROMIUM_TILE, RIGHT_TILE, what="both are in the programme")

        await switch_camera(viewer, eye, left, right, artefacts)
        await mute_and_reload(viewer, eye, left, right)
        await see_each_other(left, right)
        await viewer.sees_moving(CHROMIUM_TILE, RIGHT_TILE, what="both are in the programme again")
        await right.screenshot(artefacts / "firefox-stage.png")
    assert not errors(firefox)


async def check_candidates(page: FirefoxPage) -> None:
    """What it has offered the bridge are names under .local, which nobody here can look up."""
    offer = await page.evaluate("window.__debate.bridge().localDescription.sdp")
    candidates = re.findall(r"^a=candidate:.*", offer, re.MULTILINE)
    assert candidates
    assert all(".local " in candidate for candidate in candidates)


async def switch_camera(
    viewer: Viewer, eye: HostEye, left: Page, right: FirefoxPage, artefacts: Path
) -> None:
    """Off is a slate, and words for the opponent; on is the picture again."""
    await right.press("Camera off")
    await left.get_by_text("Éloïse Ångström has the camera off").wait_for()
    seen = opposition(eye)
    assert seen is not None
    assert not seen.media.camera
    await viewer.sees_still(RIGHT_TILE, moving=CHROMIUM_TILE, what="a slate instead of Firefox")
    save_png(viewer.newest, artefacts / "firefox-camera-off.png")
    assert region(viewer.newest, FIREFOX_CORNER).max() < 90, "not the last picture, held"
    await right.press("Camera off")
    await viewer.sees_moving(RIGHT_TILE, what="Firefox's picture again")
    await left.get_by_text("Éloïse Ångström has the camera off").wait_for(state="hidden")


async def mute_and_reload(viewer: Viewer, eye: HostEye, left: Page, right: FirefoxPage) -> None:
    """Muted is a badge; a reload comes back to the same seat by itself, and as silent as before."""
    await right.press("Mute")
    await left.get_by_text("Éloïse Ångström is muted").wait_for()
    await viewer.sees_still(FIREFOX_BADGE, moving=RIGHT_TILE, what="the muted badge")

    before = opposition(eye)
    assert before is not None

    def joined_anew() -> ParticipantView | None:
        newest = opposition(eye)
        return newest if newest and newest.generation > before.generation else None

    begin = time.monotonic()
    await right.reload()
    back = await until(joined_anew, "the seat is taken again")
    await until(partial(both_received, eye), "both are received again")
    assert time.monotonic() - begin < BACK_WITHIN
    assert not back.media.microphone
    await right.press("Mute")
    await left.get_by_text("Éloïse Ångström is muted").wait_for(state="hidden")


async def test_a_host_and_a_viewer_in_firefox_watch_the_programme(bridge, artefacts):
    room = await bridge.create()
    async with (
        Firefox() as firefox,
        HeadlessDebater(room["links"]["proposition"]),
        HeadlessDebater(room["links"]["opposition"]),
    ):
        host = await firefox.new_page(height=1100)
        await host.goto(loopback(room["links"]["host"]))
        await host.wait_for("!document.querySelector('#go-live').disabled", "it can go on air")
        await host.click("#go-live")
        await host.click("[data-testid=confirm-go-live]")
        await host.wait_for(
            "[...document.querySelectorAll('[data-role=ingest]')]"
            ".every((one) => one.textContent === 'Receiving')",
            "the host sees that both are received",
        )
        await plays_on(host)
        await host.screenshot(artefacts / "firefox-host.png")

        watch = await firefox.new_page()
        await watch.goto(f"{bridge.url}/watch/{room['id']}")
        await plays_on(watch)
        await watch.screenshot(artefacts / "firefox-watch.png")
    assert not errors(firefox)


async def plays_on(page: FirefoxPage) -> None:
    """Wait until the programme plays and has gone on for some seconds."""
    start = await page.wait_for(_PLAYED, "the programme plays")
    await page.wait_for(f"({_PLAYED})() > {start + 3}", "it goes on playing")


def errors(firefox: Firefox) -> list[str]:
    """What a console of Firefox has in red."""
    return [line for line in firefox.console if line.startswith("error: ")]
