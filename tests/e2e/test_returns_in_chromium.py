"""Every way of losing a debater, in real Chromium: back in the same seat without a click."""

import asyncio
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil
import pytest
from playwright.async_api import Browser, Page, async_playwright

from bridge.protocol.messages import IngestState, RoomView
from bridge.rooms.model import Side
from tests.e2e.browsers import chromium, make_devices
from tests.e2e.stack import Bridge, HostEye
from tests.helpers import free_port, until

BACK_WITHIN = 10
"""Seconds after the end of the trouble."""
_PICTURES = """async () => {
  const count = async (pc, type, key) => {
    let pictures = 0;
    if (pc?.connectionState !== "connected") return 0;
    for (const item of (await pc.getStats()).values())
      if (item.type === type && item.kind === "video") pictures += item[key] || 0;
    return pictures;
  };
  const { peer, bridge } = window.__debate ?? { peer: () => null, bridge: () => null };
  return [
    await count(peer(), "inbound-rtp", "framesDecoded"),
    await count(bridge(), "outbound-rtp", "framesSent"),
  ];
}"""


@dataclass(slots=True)
class OnAir:
    """Two debaters in two browsers, on air."""

    bridge: Bridge
    room: dict
    left: Page
    right: Page
    left_browser: Browser
    eye: HostEye
    times: dict[str, float] = field(default_factory=dict)

    @property
    def view(self) -> RoomView:
        """The newest state of the room."""
        assert self.eye.room is not None
        return self.eye.room

    def session(self, side: Side = Side.PROPOSITION) -> str | None:
        """The newest joining of a seat."""
        found = [one.session for one in self.view.participants if one.seat is side]
        return found[0] if found else None

    async def are_back(self, trouble: str, seen: Callable[[], bool] = lambda: True) -> float:
        """Wait until both are in the programme and see each other; returns the seconds it took.

        `seen`: the room has noticed the trouble, so what it says is not of before.
        """
        begin = asyncio.get_running_loop().time()
        await until(seen, f"{trouble} is seen", seconds=BACK_WITHIN)
        await until(self._both_received, f"received again after {trouble}", seconds=BACK_WITHIN)
        before = await self._counts()

        async def all_grow() -> bool:
            now = await self._counts()
            # A new connection counts from nothing.
            before[:] = map(min, before, now)
            return all(count > old + 3 for count, old in zip(now, before, strict=True))

        await until(all_grow, f"pictures again after {trouble}", seconds=BACK_WITHIN)
        await until(self._both_received, f"received again after {trouble}", seconds=BACK_WITHIN)
        took = asyncio.get_running_loop().time() - begin
        assert took < BACK_WITHIN
        for page in (self.left, self.right):
            assert await page.get_attribute("main", "data-state") == "stage"
        self.times[trouble] = round(took, 1)
        return took

    async def _counts(self) -> list[int]:
        """Pictures decoded from the opponent and sent to the bridge, of both pages."""
        return [count for page in (self.left, self.right) for count in await pictures(page)]

    def _both_received(self) -> bool:
        return {self.eye.ingest(side) for side in Side} == {IngestState.RECEIVING}


async def pictures(page: Page) -> list[int]:
    """Pictures that the present connections have decoded and have sent to the bridge."""
    return list(await page.evaluate(_PICTURES))


async def take_seat(page: Page, invite: str) -> None:
    await page.goto(invite.replace("localhost", "127.0.0.1"))
    await page.get_by_test_id("join").click()
    await page.wait_for_selector("main[data-state=stage]")


@pytest.fixture
async def on_air(tmp_path, artefacts, request) -> AsyncIterator[OnAir]:
    running = Bridge(tmp_path / "data", port=free_port())
    red = await make_devices(tmp_path, "red", "0xc01818", 440)
    blue = await make_devices(tmp_path, "blue", "0x1818c0", 660)
    try:
        await running.start()
        room = await running.create()
        async with (
            async_playwright() as playwright,
            chromium(playwright, red) as left_browser,
            chromium(playwright, blue) as right_browser,
            HostEye(room["links"]["host"]) as eye,
        ):
            left, right = await left_browser.new_page(), await right_browser.new_page()
            logs: list[str] = []
            left.on("console", lambda line: logs.append(f"left: {line.text}"))
            right.on("console", lambda line: logs.append(f"right: {line.text}"))
            await take_seat(left, room["links"]["proposition"])
            await take_seat(right, room["links"]["opposition"])
            path = f"/api/v1/rooms/{room['id']}/start"
            await running.call("POST", path, token=room["host_token"])
            stage = OnAir(running, room, left, right, left_browser, eye)
            try:
                await until(stage._both_received, "both are on air")
                yield stage
            finally:
                logs.append(f"seconds until back: {stage.times}")
                (artefacts / f"{request.node.name}-pages.log").write_text("\n".join(logs))
    finally:
        await running.stop()
        (artefacts / f"{request.node.name}.log").write_text("\n".join(running.log))


async def test_everything_that_happens_to_a_debater_passes_without_a_click(on_air):
    stage = on_air
    await stage.are_back("nothing")
    await _reload(stage)
    await _kill_broadcast(stage)
    await _offline(stage)
    with _stopped(stage.left_browser):
        await until(
            lambda: stage.eye.ingest(Side.PROPOSITION) is not IngestState.RECEIVING,
            "the sleep is noticed",
        )
        # The length of the sleep is the test: longer than a Socket.IO ping is waited for.
        await asyncio.sleep(7)
    await stage.are_back("sleep")


async def test_a_server_that_starts_again_gets_everybody_back(on_air):
    stage = on_air
    await stage.are_back("nothing")
    (before, _), old = await pictures(stage.left), stage.view.bridge_session
    await stage.bridge.stop(signal.SIGKILL)
    await until(lambda: _more(stage.left, before + 20), "they see each other without a server")
    await stage.bridge.start()
    await until(lambda: _answers(stage.bridge), "the server answers")
    await stage.are_back("server restart", lambda: stage.view.bridge_session not in (old, None))


async def test_a_dead_path_to_the_bridge_is_replaced(on_air):
    stage = on_air
    await stage.are_back("nothing")
    with blocked_udp(stage.bridge.busiest_broadcast()):
        await until(
            lambda: stage.eye.ingest(Side.PROPOSITION) is not IngestState.RECEIVING,
            "the outage is noticed",
        )
        # The new connection has ports of its own, so it comes back while the old path stays dead.
        await stage.are_back("a dead path")


async def _reload(stage: OnAir) -> None:
    await stage.left.get_by_test_id("mute").click()
    old = stage.session()
    await stage.left.reload()
    await stage.left.wait_for_selector("main[data-state=stage]")
    await stage.are_back("reload", lambda: stage.session() not in (old, None))
    assert await stage.left.get_attribute("[data-testid=mute]", "aria-pressed") == "true"
    view = next(one for one in stage.view.participants if one.seat is Side.PROPOSITION)
    assert not view.media.microphone
    await stage.left.get_by_test_id("mute").click()


async def _kill_broadcast(stage: OnAir) -> None:
    old = stage.view.bridge_session
    stage.bridge.busiest_broadcast().kill()
    await until(lambda: stage.view.bridge_session not in (old, None), "another broadcast")
    await stage.are_back("broadcast restart")


async def _offline(stage: OnAir) -> None:
    context, old = stage.left.context, stage.session()
    await context.set_offline(True)
    # How long the change of network takes: long enough for the paths to be given up.
    await asyncio.sleep(3)
    await context.set_offline(False)
    await stage.are_back("another network", lambda: stage.session() not in (old, None))


async def _answers(bridge: Bridge) -> bool:
    try:
        return bool(await bridge.fetch("/healthz"))
    except OSError:
        return False


async def _more(page: Page, count: int) -> bool:
    return (await pictures(page))[0] > count


@contextmanager
def _stopped(browser: Browser) -> Iterator[None]:
    """Stop all processes of a browser, as closing the lid of a laptop does."""
    processes = _processes_of(browser)
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            process.resume()


def _processes_of(browser: Browser) -> list[psutil.Process]:
    """The first browser that this test has started, with its children."""
    mains = [
        one
        for one in psutil.Process().children(recursive=True)
        if "chrom" in one.name() and "--type=" not in " ".join(one.cmdline())
    ]
    first = min(mains, key=lambda one: one.create_time())
    return [first, *first.children(recursive=True)]


@contextmanager
def blocked_udp(process: psutil.Process) -> Iterator[None]:
    """Drop all UDP to and from the ports of a process."""
    ports = {item.laddr.port for item in process.net_connections("udp")}
    assert ports
    table = f"returns_{process.pid}"
    listed = ",".join(map(str, sorted(ports)))
    rules = f"""
        table inet {table} {{
          chain input {{
            type filter hook input priority 0
            udp dport {{ {listed} }} drop
            udp sport {{ {listed} }} drop
          }}
        }}
    """
    subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True)
    try:
        yield
    finally:
        subprocess.run(["nft", "delete", "table", "inet", table], check=True)
