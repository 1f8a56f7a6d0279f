"""A host adds, tests, mends and removes destinations while the debate is on air."""

import asyncio
import os
from itertools import pairwise
from pathlib import Path

import psutil
import pytest
from playwright.async_api import async_playwright

from bridge.protocol.messages import OutputState
from tests import media
from tests.e2e.browsers import chromium
from tests.e2e.stack import Bridge, HostEye
from tests.helpers import until
from tests.rtmp_server import RtmpServer, free_port

KEY = "stream-key-live-9876"
WRONG = "another-key-live-1234"


@pytest.fixture
def rtmp(tmp_path: Path):
    with RtmpServer(tmp_path) as server:
        yield server


def states(eye: HostEye) -> list[OutputState]:
    return [item.report.state for item in eye.host.destinations]


def sees_key(bridge: Bridge, *keys: str) -> list[str]:
    """Where a key can be read: logs, and what the system tells of processes."""
    found = [line for line in bridge.log for key in keys if key in line]
    for process in [psutil.Process(bridge.pid), *psutil.Process(bridge.pid).children(True)]:
        try:
            told = [*process.cmdline(), *process.environ().values()]
        except psutil.Error:
            continue
        found += [text for text in told for key in keys if key in text]
    return found


def database(bridge: Bridge) -> bytes:
    return b"".join(path.read_bytes() for path in bridge.data.glob("*.sqlite3*"))


async def test_destinations_come_and_go_while_live(bridge, rtmp, artefacts):
    room = await bridge.create()
    path = f"/api/v1/rooms/{room['id']}"
    async with (
        HostEye(room["links"]["host"]) as eye,
        async_playwright() as playwright,
        chromium(playwright, None) as browser,
    ):
        host = await browser.new_page()
        await host.goto(room["links"]["host"])
        await host.locator("#destination-platform").select_option("")
        field = host.get_by_test_id("destination-key")
        await field.fill("http://example.com/x")
        await host.get_by_test_id("add-destination").click()
        await host.get_by_text("An address begins with rtmp").wait_for()

        await field.fill(rtmp.url(KEY))
        await host.get_by_test_id("add-destination").click()
        await host.get_by_test_id("test-destination").click()
        await host.get_by_text("The test card arrived").wait_for()
        assert await field.input_value() == ""
        assert await asyncio.to_thread(lambda: len(rtmp.recordings(KEY))) == 1

        await bridge.call("POST", f"{path}/start", token=room["host_token"])
        await until(lambda: states(eye) == [OutputState.LIVE], "the first is live")
        programme = eye.programme.ticks

        # One that refuses its key, while the other goes on.
        await field.fill(rtmp.url(WRONG, "closed"))
        await host.get_by_test_id("add-destination").click()
        await until(
            lambda: states(eye) == [OutputState.LIVE, OutputState.REJECTED], "the key is refused"
        )
        await host.get_by_text("Check the address and the stream key").wait_for()
        tries = eye.host.destinations[1].report.retries
        await host.get_by_role("button", name="Try again now").click()
        await until(lambda: eye.host.destinations[1].report.retries > tries, "it is tried again")
        await host.screenshot(path=artefacts / "host-destinations.png", full_page=True)
        assert eye.host.destinations[0].report.dropped == 0
        assert eye.programme.ticks > programme

        await host.get_by_test_id("remove-destination").nth(1).click()
        await host.get_by_test_id("confirm-remove").click()
        await until(lambda: len(eye.host.destinations) == 1, "the wrong one is gone")
        assert states(eye) == [OutputState.LIVE]
        assert sees_key(bridge, KEY, WRONG) == []
        await bridge.call("POST", f"{path}/stop", token=room["host_token"])
    _, recording = await asyncio.to_thread(rtmp.recordings, KEY)
    packets = media.probe(recording, "-show_packets", "-select_streams", "v")["packets"]
    times = [float(packet["pts_time"]) for packet in packets]
    assert packets[0]["flags"].startswith("K")
    assert max(b - a for a, b in pairwise(times)) < 0.05
    keys = [time for time, packet in zip(times, packets, strict=True) if "K" in packet["flags"]]
    assert {round(b - a, 1) for a, b in pairwise(keys)} == {2.0}
    assert KEY.encode() not in await asyncio.to_thread(database, bridge)


async def test_a_broadcast_that_dies_goes_on_to_where_destinations_are_now(bridge, rtmp):
    room = await bridge.create()
    path = f"/api/v1/rooms/{room['id']}"
    async with HostEye(room["links"]["host"]) as eye:
        await bridge.call("POST", f"{path}/start", token=room["host_token"])
        await until(lambda: eye.room and eye.host.programme, "the programme runs")
        body = {"url": rtmp.url(KEY)}
        added = await bridge.call(
            "POST", f"{path}/destinations", token=room["host_token"], body=body, expect=201
        )
        assert KEY not in str(added)
        await until(lambda: states(eye) == [OutputState.LIVE], "it is live")
        pid = bridge.busiest_broadcast().pid
        os.kill(pid, 9)
        await until(lambda: eye.host.restarts == 1, "the broadcast is started again")
        await until(lambda: states(eye) == [OutputState.LIVE], "it is live again")
        assert len(await asyncio.to_thread(rtmp.recordings, KEY)) == 2


async def test_what_cannot_be_a_destination_is_refused_in_words(bridge):
    room = await bridge.create()
    path = f"/api/v1/rooms/{room['id']}/destinations"
    token = room["host_token"]
    for body, words in (
        ({"url": "srt://live.example/x"}, "SRT"),
        ({"url": "http://live.example/x"}, "rtmp://"),
        ({"platform": "twich", "key": "abcd"}, "twitch"),
        ({"platform": "twitch", "key": "two words"}, "key"),
        ({"platform": "twitch"}, "stream key"),
    ):
        problem = await bridge.call("POST", path, token=token, body=body, expect=422)
        assert words in problem["detail"], problem
    nobody = f"rtmp://127.0.0.1:{free_port()}/live/{KEY}"
    added = await bridge.call("POST", path, token=token, body={"url": nobody}, expect=201)
    twice = await bridge.call("POST", path, token=token, body={"url": nobody}, expect=409)
    assert KEY not in str(twice)
    await bridge.call("POST", f"{path}/{added['id']}/retry", token=token, expect=409)
    await bridge.call("DELETE", f"{path}/{added['id']}", token="", expect=401)
    await bridge.call("DELETE", f"{path}/{added['id']}", token=token, expect=204)
    await bridge.call("DELETE", f"{path}/{added['id']}", token=token, expect=404)
