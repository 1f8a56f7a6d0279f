"""A recording from the debate's end to its deletion, by clicks; its files by requests."""

import asyncio
import json
import subprocess
from pathlib import Path

import aiohttp
from playwright.async_api import Page, async_playwright

from tests import media
from tests.e2e.browsers import chromium
from tests.e2e.stack import COMMAND, Bridge, HostEye
from tests.helpers import until

MAIN_EVENTS = ["start", "marker", "end"]


async def record(bridge: Bridge, host: Page, room: dict) -> None:
    """Be on air for some seconds with a marker in the middle, then end, by clicks."""
    await host.goto(room["links"]["host"])
    await host.get_by_test_id("go-live").click()
    await host.get_by_test_id("confirm-go-live").click()
    async with HostEye(room["links"]["host"]) as eye:
        await until(lambda: eye.room and eye.host.programme, "the programme runs")
        await until(lambda: eye.programme.ticks > 90, "three seconds")
        await host.get_by_test_id("marker").fill("Rebuttal: costs = #1; \\ ünïcode")
        await host.get_by_test_id("set-marker").click()
        await host.get_by_text("A chapter begins: Rebuttal").wait_for()
        await until(lambda: eye.programme.ticks > 240, "five seconds more")
        await host.get_by_test_id("end").click()
        await host.get_by_test_id("confirm-end").click()
    await host.get_by_role("link", name="Open the recordings").wait_for()


async def listed(bridge: Bridge, token: str = "") -> list[dict]:
    found: list[dict] = await bridge.call("GET", "/api/v1/recordings", token=token)
    return found


async def ready(bridge: Bridge) -> dict | None:
    (entry,) = await listed(bridge)
    return entry if entry["state"] == "ready" else None


async def test_a_host_looks_after_his_recording(bridge, artefacts, tmp_path):
    room = await bridge.create()
    async with async_playwright() as playwright, chromium(playwright, None) as browser:
        host = await browser.new_page(viewport={"width": 1280, "height": 900})
        await record(bridge, host, room)
        entry = await until(lambda: ready(bridge), "the recording is ready")
        files = {file["kind"]: file for file in entry["files"]}
        assert {"programme", "sound", "chapters", "youtube", "events", "poster", "manifest"} == set(
            files
        )
        assert [chapter["title"] for chapter in entry["chapters"]] == [
            "This house would rather be watched than read",
            "Rebuttal: costs = #1; \\ ünïcode",
        ]
        film = tmp_path / "programme.mp4"
        film.write_bytes(await bridge.fetch(files["programme"]["url"]))
        chapters = await asyncio.to_thread(media.probe, film, "-show_chapters")
        assert len(chapters["chapters"]) == 2
        events = json.loads(await bridge.fetch(files["events"]["url"]))["events"]
        kinds = [event["kind"] for event in events]
        assert [kind for kind in kinds if kind in MAIN_EVENTS] == MAIN_EVENTS
        (tmp_path / "manifest.json").write_bytes(await bridge.fetch(files["manifest"]["url"]))
        said = await asyncio.to_thread(verified, film)
        assert "unaltered" in said

        await host.get_by_role("link", name="Open the recordings").click()
        await host.get_by_role("heading", name="This house would rather").wait_for()
        await host.locator("img[data-role=poster]").evaluate("image => image.decode()")
        await host.screenshot(path=artefacts / "recordings.png", full_page=True)
        await host.locator(".recording .chapter").nth(1).click()
        await host.locator("#player-dialog[open]").wait_for()
        await until(
            lambda: host.locator("video").evaluate("video => video.currentTime > 2.5"), "it plays"
        )
        await host.screenshot(path=artefacts / "recordings-player.png")
        await host.get_by_role("button", name="Close").click()

        await host.get_by_text("Manage").click()
        await host.get_by_test_id("title").fill("Our best debate")
        await host.get_by_test_id("rename").click()
        await host.get_by_role("heading", name="Our best debate").wait_for()
        await host.get_by_test_id("clip-begin").fill("0:01")
        await host.get_by_test_id("clip-end").fill("0:03")
        await host.get_by_test_id("clip").click()
        await host.get_by_text("The clip is among the downloads").wait_for()
        await host.get_by_text("Download", exact=True).click()
        await host.locator("a[data-kind=clip]").wait_for()
        await host.screenshot(path=artefacts / "recordings-manage.png", full_page=True)
        await host.set_viewport_size({"width": 360, "height": 740})
        assert await host.evaluate("document.documentElement.scrollWidth") == 360
        await host.screenshot(path=artefacts / "recordings-360.png", full_page=True)

        # Only the host: gone for everybody else, also what can be watched again.
        watched_again = f"/live/{room['id']}/vod.m3u8"
        assert await bridge.fetch(watched_again)
        await host.get_by_test_id("access").select_option("host")
        await until(lambda: hidden(bridge), "it is in nobody's list")
        assert await bridge.fetch(watched_again, absent_is_empty=True) == b""
        assert await bridge.fetch(files["programme"]["url"], absent_is_empty=True) == b""
        (own,) = await listed(bridge, room["host_token"])
        assert await bridge.fetch(own["files"][0]["url"]) == film.read_bytes()

        await host.get_by_test_id("delete").click()
        await host.get_by_test_id("confirm-delete").click()
        await host.get_by_text("No debate has been recorded yet").wait_for()
        assert not await asyncio.to_thread(lambda: list((bridge.data / "programmes").iterdir()))
        assert not (bridge.data / "hls" / room["id"]).exists()
    assert not [line for line in bridge.log if " ERROR " in line]


def verified(film: Path) -> str:
    command = [str(COMMAND), "verify", str(film)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


async def hidden(bridge: Bridge) -> bool:
    return await listed(bridge) == []


async def test_files_answer_ranges_and_conditions(bridge):
    room = await bridge.create()
    async with async_playwright() as playwright, chromium(playwright, None) as browser:
        await record(bridge, await browser.new_page(), room)
    entry = await until(lambda: ready(bridge), "the recording is ready")
    file = entry["files"][0]
    whole = await bridge.fetch(file["url"])
    async with aiohttp.ClientSession() as http:

        async def get(**headers: str) -> tuple[int, bytes, str]:
            async with http.get(file["url"], headers=headers) as answer:
                return answer.status, await answer.read(), answer.headers.get("ETag", "")

        status, body, tag = await get(Range="bytes=100-199")
        assert (status, body) == (206, whole[100:200])
        assert (await get(**{"If-None-Match": tag}))[0] == 304
        assert (await get(**{"If-Range": tag, "Range": "bytes=0-9"}))[:2] == (206, whole[:10])
        assert (await get(Range=f"bytes={len(whole)}-"))[0] == 416
        async with http.head(file["url"] + "?download=1") as answer:
            assert answer.content_length == len(whole)
            assert answer.content_type == "video/mp4"
            assert "this-house-would" in answer.headers["Content-Disposition"]
        sound = next(each for each in entry["files"] if each["kind"] == "sound")
        async with http.get(sound["url"]) as answer:
            assert answer.content_type == "audio/mp4"
        path = f"{bridge.url}/api/v1/recordings/{entry['id']}"
        for method in ("PATCH", "DELETE"):
            async with http.request(method, path, json={}) as answer:
                assert answer.status == 401
        token = {"Authorization": f"Bearer {(await bridge.create())['host_token']}"}
        async with http.delete(path, headers=token) as answer:
            assert answer.status == 403
