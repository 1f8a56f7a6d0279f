"""Real headless Chromium with fake devices that show a colour and sound a tone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Browser, Playwright

CHROMIUM = "/usr/bin/chromium"

_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--autoplay-policy=no-user-gesture-required",
    # A closed network: no browser of ours looks anything up.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost",
)


def reaching(host: str) -> str:
    """Return the flag of a browser that reaches `host` besides this machine's loopback."""
    return next(flag for flag in _FLAGS if "resolver" in flag) + f" , EXCLUDE {host}"


@dataclass(frozen=True, slots=True)
class FakeDevices:
    """A camera and a microphone as files."""

    camera: Path
    microphone: Path


async def make_devices(folder: Path, name: str, colour: str, tone: int) -> FakeDevices:
    """Draw a white box on its way over `colour`, 640x360 at 15 fps, and a tone, 10 s each."""
    camera, microphone = folder / f"{name}.mjpeg", folder / f"{name}.wav"
    picture = (
        f"color=c={colour}:s=640x360:r=15:d=10[ground];color=c=white:s=80x60:r=15:d=10[box];"
        "[ground][box]overlay=x='100+mod(t*160\\,360)':y=20"
    )
    await _ffmpeg("-f", "lavfi", "-i", picture, "-pix_fmt", "yuvj420p", "-q:v", "4", camera)
    await _ffmpeg("-f", "lavfi", "-i", f"sine=f={tone}:r=48000:d=10", "-ac", "1", microphone)
    return FakeDevices(camera, microphone)


async def _ffmpeg(*arguments: object) -> None:
    process = await asyncio.create_subprocess_exec(
        "ffmpeg", "-v", "error", "-y", *map(str, arguments)
    )
    assert await process.wait() == 0


@asynccontextmanager
async def chromium(
    playwright: Playwright, devices: FakeDevices | None, *more_flags: str
) -> AsyncIterator[Browser]:
    """Launch a browser whose camera and microphone are `devices`; None: it has none."""
    flags = [*_FLAGS, *more_flags]
    if devices is not None:
        flags += [
            "--use-fake-device-for-media-stream",
            "--use-fake-ui-for-media-stream",
            f"--use-file-for-fake-video-capture={devices.camera}",
            f"--use-file-for-fake-audio-capture={devices.microphone}",
        ]
    browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
    try:
        yield browser
    finally:
        await browser.close()
