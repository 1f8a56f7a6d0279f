"""The headless-browser way: Chromium under Xvfb shows both debaters, ffmpeg grabs the screen."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
from playwright.async_api import Page, async_playwright

from tests.bench.offline import X264
from tests.e2e.browsers import CHROMIUM, chromium

_DISPLAY = ":97"
_MARK = "--this-one-is-grabbed"
_SHOW = """<style>body{margin:0;background:#101418}video{position:absolute;top:156px;width:616px;
height:464px;object-fit:cover}</style><video style="left:16px"></video><video style="left:648px">
</video>"""
_SEND = """async (urls) => {
  const pc = (window.pc = new RTCPeerConnection());
  for (const url of urls) {
    const video = document.createElement("video");
    Object.assign(video, { src: url, loop: true, muted: true });
    document.body.append(video);
    await video.play();
    pc.addTrack(video.captureStream().getVideoTracks()[0], new MediaStream());
  }
  for (const sender of pc.getSenders()) {
    const parameters = sender.getParameters();
    parameters.degradationPreference = "maintain-resolution";
    await sender.setParameters(parameters);
  }
  await pc.setLocalDescription();
  await new Promise((done) => (pc.onicegatheringstatechange = () =>
    pc.iceGatheringState === "complete" && done(null)));
  return pc.localDescription.sdp;
}"""
_RECEIVE = """async (sdp) => {
  const pc = (window.pc = new RTCPeerConnection());
  const videos = [...document.querySelectorAll("video")];
  pc.ontrack = ({ track }) => {
    const video = videos.shift();
    video.srcObject = new MediaStream([track]);
    video.muted = true;
    video.play();
  };
  await pc.setRemoteDescription({ type: "offer", sdp });
  await pc.setLocalDescription();
  await new Promise((done) => (pc.onicegatheringstatechange = () =>
    pc.iceGatheringState === "complete" && done(null)));
  return pc.localDescription.sdp;
}"""


@asynccontextmanager
async def grabbing(films: Sequence[Path], folder: Path) -> AsyncIterator[Callable[[], float]]:
    """Have it running; yield what it has used so far, in CPU seconds. The senders do not count."""
    xvfb = _begin(["Xvfb", _DISPLAY, "-screen", "0", "1280x720x24", "-nolisten", "tcp"])
    grabber: subprocess.Popen[bytes] | None = None
    try:
        async with (
            async_playwright() as playwright,
            chromium(
                playwright, None, "--allow-file-access-from-files", "--disable-web-security"
            ) as sending,
        ):
            # A profile of its own has its first window as a kiosk; a further one would have bars.
            receiving = await playwright.chromium.launch_persistent_context(
                folder / "profile",
                executable_path=CHROMIUM,
                headless=False,
                no_viewport=True,
                args=[
                    _MARK,
                    "--no-sandbox",
                    "--kiosk",
                    "--window-position=0,0",
                    "--window-size=1280,720",
                    "--disable-gpu",
                ],
                env={**os.environ, "DISPLAY": _DISPLAY},
            )
            sender = await sending.new_page()
            await sender.goto(films[0].as_uri())
            screen = receiving.pages[0]
            await screen.set_content(_SHOW)
            await _connect(sender, screen, films)
            grabber = _begin(_command(folder))
            await asyncio.sleep(8)
            roots = [
                psutil.Process(xvfb.pid),
                psutil.Process(grabber.pid),
                *_marked(),
            ]
            yield lambda: sum(_seconds(process) for process in roots)
            await receiving.close()
    finally:
        for process in (grabber, xvfb):
            if process is not None:
                process.terminate()
                process.wait()


def _begin(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command)


async def _connect(sender: Page, screen: Page, films: Sequence[Path]) -> None:
    offer = await sender.evaluate(_SEND, [film.as_uri() for film in films])
    answer = await screen.evaluate(_RECEIVE, offer)
    await sender.evaluate("sdp => pc.setRemoteDescription({ type: 'answer', sdp })", answer)
    await screen.wait_for_function(
        "[...document.querySelectorAll('video')].every((video) => video.videoWidth > 0)"
    )


def _command(folder: Path) -> list[str]:
    return [
        "ffmpeg", "-v", "error", "-nostdin", "-y", "-f", "x11grab", "-framerate", "30",
        "-video_size", "1280x720", "-i", _DISPLAY, "-pix_fmt", "yuv420p", *X264,
        "-f", "hls", "-hls_time", "2", str(folder / "grabbed.m3u8"),
    ]  # fmt: skip


def _marked() -> list[psutil.Process]:
    """Return the browser that receives, and all its processes."""
    roots = [process for process in psutil.process_iter() if _MARK in _words(process)]
    below = [child for root in roots for child in root.children(recursive=True)]
    return list({process.pid: process for process in (*roots, *below)}.values())


def _words(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except (psutil.AccessDenied, psutil.NoSuchProcess):
        return []


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
