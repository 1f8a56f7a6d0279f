"""The whole main job by clicks alone, in real browsers, against real servers."""

import re
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from playwright.async_api import Page, async_playwright

from tests.e2e.browsers import chromium, make_devices
from tests.e2e.programme_probe import (
    LEFT_TILE,
    RIGHT_TILE,
    decode,
    ffprobe,
    region,
    save,
    shape,
    tone_db,
)
from tests.e2e.stack import Bridge
from tests.helpers import until
from tests.rtmp_server import RtmpServer

LEFT_TONE, RIGHT_TONE = 440, 660


async def decoded_from_peer(page: Page) -> int:
    """Frames of the opponent that this page has decoded."""
    return int(
        await page.evaluate(
            """async () => {
              const pc = window.__debate.peer();
              if (!pc) return 0;
              let frames = 0;
              for (const item of (await pc.getStats()).values())
                if (item.type === "inbound-rtp" && item.kind === "video")
                  frames += item.framesDecoded || 0;
              return frames;
            }"""
        )
    )


async def take_seat(page: Page, invite: str) -> None:
    await page.goto(invite)
    await page.get_by_test_id("join").click()
    await page.wait_for_selector("main[data-state=stage]")


async def create_debate(page: Page, bridge: Bridge, destination: str) -> None:
    await page.goto(bridge.url)
    await page.fill("[name=motion]", "This house would rather be watched than read")
    await page.fill("[name=proposition]", "Ada Lovelace")
    await page.fill("[name=opposition]", "Éloïse Ångström")
    await page.fill("[name=destination]", destination)
    await page.get_by_test_id("create").click()
    await page.wait_for_url(re.compile(r"/host/\w+#"))


async def check_programme(path: Path) -> None:
    """Right picture in the right tile, both voices in the sound."""
    programme = decode(path)
    left = np.median([region(p, LEFT_TILE) for p in programme.pictures[-30:]], axis=0)
    right = np.median([region(p, RIGHT_TILE) for p in programme.pictures[-30:]], axis=0)
    assert left[0] > left[2] + 60, f"red belongs on the left: {left}"
    assert right[2] > right[0] + 60, f"blue belongs on the right: {right}"
    sound = programme.samples[-48_000:]
    levels = tone_db(sound, LEFT_TONE), tone_db(sound, RIGHT_TONE)
    assert min(levels) > 20, f"both tones are heard: {levels}"


@pytest.fixture
def rtmp_server(tmp_path):
    folder = tmp_path / "rtmp"
    folder.mkdir()
    with RtmpServer(folder) as server:
        yield server


async def test_two_browsers_debate_and_everybody_watches(bridge, rtmp_server, tmp_path, artefacts):
    red = await make_devices(tmp_path, "red", "0xc01818", LEFT_TONE)
    blue = await make_devices(tmp_path, "blue", "0x1818c0", RIGHT_TONE)
    async with (
        async_playwright() as playwright,
        chromium(playwright, red) as left_browser,
        chromium(playwright, blue) as right_browser,
    ):
        host = await left_browser.new_page()
        await create_debate(host, bridge, rtmp_server.url("debate"))
        room = re.search(r"/host/(\w+)#(.+)", host.url)
        assert room
        links = await bridge.call("GET", f"/api/v1/rooms/{room[1]}/links", token=room[2])

        left, right = await left_browser.new_page(), await right_browser.new_page()
        await take_seat(left, links["proposition"].replace("localhost", "127.0.0.1"))
        await take_seat(right, links["opposition"].replace("localhost", "127.0.0.1"))
        for page in (left, right):
            before = await decoded_from_peer(page)
            await until(partial(_more_than, page, before + 10), "the opponent's picture plays")

        await host.bring_to_front()
        await host.get_by_test_id("go-live").click()
        await host.get_by_test_id("confirm-go-live").click()
        await left.wait_for_selector("main[data-bridge=connected]")
        await right.wait_for_selector("main[data-bridge=connected]")

        watch = await right_browser.new_page()
        await watch.goto(f"{bridge.url}/watch/{room[1]}")
        await watch.wait_for_selector("main[data-state=live]")
        await watch.wait_for_function(
            "() => { const v = document.getElementById('programme');"
            " return v.videoWidth === 1280 && v.currentTime > 0 && v.readyState >= 3; }"
        )
        start = await watch.evaluate("document.getElementById('programme').currentTime")
        await watch.wait_for_function(
            f"() => document.getElementById('programme').currentTime > {start} + 6"
        )
        for name, page in (("watch", watch), ("stage", left), ("host", host)):
            await page.bring_to_front()
            await page.screenshot(path=artefacts / f"on-air-{name}.png")

        pulled = tmp_path / "pulled.flv"
        await save(rtmp_server.url("debate"), pulled, seconds=4)
        seen = shape(await ffprobe(pulled))
        assert (seen.video, seen.width, seen.height, seen.rate) == ("h264", 1280, 720, Fraction(30))
        assert (seen.audio, seen.sample_rate) == ("aac", 48_000)
        await check_programme(pulled)

        plain = shape(await ffprobe(f"{bridge.url}/live/{room[1]}/index.m3u8"))
        assert (plain.video, plain.width, plain.rate, plain.audio) == (
            "h264",
            1280,
            Fraction(30),
            "aac",
        )

        await host.bring_to_front()
        await host.get_by_test_id("end").click()
        await host.get_by_test_id("confirm-end").click()
        await watch.wait_for_selector("main[data-state=ended]")

        recording = await until(
            lambda: _finished_recording(bridge), "the recording is finished", seconds=60
        )
        file = recording["files"][0]
        target = tmp_path / "programme.mp4"
        target.write_bytes(await bridge.fetch(file["url"]))
        assert target.stat().st_size == file["bytes"]
        kept = shape(await ffprobe(target))
        assert (kept.video, kept.width, kept.rate, kept.audio) == (
            "h264",
            1280,
            Fraction(30),
            "aac",
        )
        assert abs(kept.seconds - recording["duration"]) < 0.2
        await check_programme(target)
        assert target.read_bytes().find(b"moov") < target.read_bytes().find(b"mdat")


async def _more_than(page: Page, frames: int) -> bool:
    return await decoded_from_peer(page) > frames


async def _finished_recording(bridge: Bridge) -> dict | None:
    found = await bridge.call("GET", "/api/v1/recordings")
    return found[0] if found and found[0]["state"] == "ready" else None
