"""From a debater's screen to a spectator's: `make bench-latency`.

One debater is a browser whose camera is a canvas with the time burnt in as a bar code, the other is
headless; the spectator is a browser on the watch page, which reads the code back from each picture
that it shows. Everybody is on this machine, so that one clock serves all.
"""

import argparse
import asyncio
import contextlib
import signal
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Page, Playwright, async_playwright

from bridge.protocol.messages import IngestState
from bridge.rooms.model import Side
from tests.bench.on_air import say
from tests.e2e.browsers import chromium, make_devices
from tests.e2e.players import player_pages
from tests.e2e.stack import Bridge, HeadlessDebater, HostEye
from tests.helpers import until

_FREEZE_SECONDS = 6.0
_HEAD = (
    "case",
    "seconds",
    "pictures",
    "p50 s",
    "p95 s",
    "max s",
    "stalls",
    "4xx",
    "behind, page's",
)

_CAMERA = """
const [BITS, WIDTH, LEFT, TOP, HEIGHT] = [32, 12, 128, 100, 40];
const canvas = document.createElement("canvas");
canvas.width = 640;
canvas.height = 360;
const context = canvas.getContext("2d");
setInterval(() => {
  const now = Date.now() % 4294967296;
  context.fillStyle = "#204060";
  context.fillRect(0, 0, 640, 360);
  for (let bit = 0; bit < BITS; bit++) {
    const on = Math.floor(now / 2 ** (BITS - 1 - bit)) % 2 === 1;
    context.fillStyle = on ? "#fff" : "#000";
    context.fillRect(LEFT + bit * WIDTH, TOP, WIDTH, HEIGHT);
    context.fillStyle = on ? "#000" : "#fff";
    context.fillRect(LEFT + bit * WIDTH, TOP + HEIGHT, WIDTH, HEIGHT);
  }
}, 1000 / 30);
const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = async (wanted) => {
  const stream = await ask(wanted);
  for (const track of stream.getVideoTracks()) {
    track.stop();
    stream.removeTrack(track);
  }
  if (wanted.video) stream.addTrack(canvas.captureStream(30).getVideoTracks()[0]);
  return stream;
};
"""

# The left tile of the classic theme, side by side: 616 x 462 at (16, 140), of a picture that was
# 640 x 360 and covers it.
_READ = """video => {
  const scale = 462 / 360;
  const left = 16 - (640 * scale - 616) / 2;
  const canvas = document.createElement("canvas");
  canvas.width = 1280;
  canvas.height = 720;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const y = [140 + 120 * scale, 140 + 160 * scale].map(Math.round);
  window.seen = { late: [], stalls: 0, unread: 0 };
  let isOn = false;
  video.addEventListener("waiting", () => isOn && (window.seen.stalls += 1));
  setTimeout(() => (isOn = true), 1000);
  const look = () => {
    context.drawImage(video, 0, 0, 1280, 720);
    const rows = y.map((row) => context.getImageData(0, row, 1280, 1).data);
    let value = 0;
    let isClear = true;
    for (let bit = 0; bit < 32; bit++) {
      const x = Math.round(left + (128 + bit * 12 + 6) * scale) * 4;
      const [above, below] = [rows[0][x], rows[1][x]];
      if (Math.abs(above - below) < 60) isClear = false;
      value = value * 2 + (above > below ? 1 : 0);
    }
    if (isClear) window.seen.late.push(Date.now() % 4294967296 - value);
    else window.seen.unread += 1;
    video.requestVideoFrameCallback(look);
  };
  video.requestVideoFrameCallback(look);
}"""


async def main(arguments: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench latency")
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--others", type=float, default=60, help="seconds of the other cases")
    options = parser.parse_args(arguments)
    say(f"| {' | '.join(_HEAD)} |")
    say("|---" * len(_HEAD) + "|")
    with tempfile.TemporaryDirectory() as folder:
        async with async_playwright() as playwright, _on_air(playwright, Path(folder)) as stage:
            bridge, room = stage
            await _case(playwright, "direct", bridge.url, room, options.seconds)
            for delay in (0.05, 0.12):
                async with delaying(bridge.url, delay) as url:
                    name = f"+{delay * 1000:.0f} ms per response"
                    await _case(playwright, name, url, room, options.others)
            await _freeze(playwright, bridge, room)
            await _plain(playwright, bridge, room, options.others)


@contextlib.asynccontextmanager
async def _on_air(playwright: Playwright, folder: Path) -> AsyncIterator[tuple[Bridge, str]]:
    bridge = Bridge(folder / "data")
    await bridge.start()
    try:
        room = await bridge.create()
        devices = await make_devices(folder, "left", "red", 440)
        async with (
            HostEye(room["links"]["host"]) as eye,
            chromium(playwright, devices) as browser,
            HeadlessDebater(room["links"]["opposition"]),
        ):
            page = await browser.new_page()
            await page.add_init_script(_CAMERA)
            await page.goto(room["links"]["proposition"].replace("localhost", "127.0.0.1"))
            await page.get_by_test_id("join").click()
            path = f"/api/v1/rooms/{room['id']}/start"
            await bridge.call("POST", path, token=room["host_token"])
            await until(
                lambda: {eye.ingest(side) for side in Side} == {IngestState.RECEIVING},
                "both debaters are received",
            )
            await asyncio.sleep(10)
            yield bridge, str(room["id"])
    finally:
        await bridge.stop()


async def _case(playwright: Playwright, name: str, base: str, room: str, seconds: float) -> None:
    async with _watching(playwright, f"{base}/watch/{room}", "#programme") as (page, refused):
        # The beginning, in which the player finds its place, is not what is measured.
        await asyncio.sleep(12)
        await _measure(page, name, seconds, refused)


async def _plain(playwright: Playwright, bridge: Bridge, room: str, seconds: float) -> None:
    async with (
        player_pages() as pages,
        _watching(playwright, f"{pages}/hls.html", "#video") as (page, refused),
    ):
        await page.evaluate("url => { window.play(url); }", f"{bridge.url}/live/{room}/index.m3u8")
        await asyncio.sleep(12)
        await _measure(page, "plain HLS", seconds, refused)


async def _freeze(playwright: Playwright, bridge: Bridge, room: str) -> None:
    async with _watching(playwright, f"{bridge.url}/watch/{room}", "#programme") as (page, refused):
        await asyncio.sleep(12)
        broadcast = bridge.busiest_broadcast()
        broadcast.send_signal(signal.SIGSTOP)
        await asyncio.sleep(_FREEZE_SECONDS)
        # What was shown until now is from before.
        await page.evaluate("() => { window.seen.late = []; }")
        broadcast.send_signal(signal.SIGCONT)
        back = None
        for tenth in range(300):
            await asyncio.sleep(0.1)
            newest = await page.evaluate("window.seen.late.splice(0).pop() ?? null")
            if back is None and newest is not None and newest < 2000:
                back = tenth / 10
                break
        say(f"| back under 2 s after a freeze of {_FREEZE_SECONDS:.0f} s: {back} s |")
        await _measure(page, "after the freeze", 20, refused)


@contextlib.asynccontextmanager
async def _watching(
    playwright: Playwright, url: str, video: str
) -> AsyncIterator[tuple[Page, list[int]]]:
    refused: list[int] = []
    async with chromium(playwright, None) as browser:
        page = await browser.new_page(viewport={"width": 1280, "height": 800})
        page.on("response", lambda got: refused.append(got.status) if got.status >= 400 else None)
        await page.goto(url)
        element = await page.wait_for_selector(video, state="attached")
        assert element is not None
        await element.evaluate(_READ)
        yield page, refused


async def _measure(page: Page, name: str, seconds: float, refused: list[int]) -> None:
    refused.clear()
    await page.evaluate("() => { window.seen.late = []; window.seen.stalls = 0; }")
    await asyncio.sleep(seconds)
    seen: dict[str, Any] = await page.evaluate(
        "({ ...window.seen, told: window.__player?.latency ?? null })"
    )
    late = sorted(seen["late"])
    if not late:
        say(f"| {name}: no picture could be read, {seen['unread']} tried |")
        return
    told = "" if seen["told"] is None else f"{seen['told']:.2f}"
    cells = (
        name,
        f"{seconds:.0f}",
        str(len(late)),
        *(f"{late[int(share * (len(late) - 1))] / 1000:.2f}" for share in (0.5, 0.95, 1)),
        str(seen["stalls"]),
        str(len(refused)),
        told,
    )
    say(f"| {' | '.join(cells)} |")


@contextlib.asynccontextmanager
async def delaying(url: str, seconds: float) -> AsyncIterator[str]:
    """Stand in front of a server and hold each answer back; yields the address."""
    target = urlsplit(url)

    async def carry(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, wait: float
    ) -> None:
        loop = asyncio.get_running_loop()
        while data := await reader.read(256 * 1024):
            loop.call_later(wait, writer.write, data) if wait else writer.write(data)
        loop.call_later(wait, writer.close)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, ours = await asyncio.open_connection(target.hostname, target.port)
        await asyncio.gather(
            carry(reader, ours, 0), carry(theirs, writer, seconds), return_exceptions=True
        )

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
