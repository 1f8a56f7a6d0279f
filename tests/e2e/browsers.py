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


@dataclass(frozen=True, slots=True)
class FakeDevices:
    """A camera and a microphone as files."""

    camera: Path
    microphone: Path


async def make_devices(folder: Path, name: str, colour: str, tone: int) -> FakeDevices:
    """Draw a moving box on `colour` at 640x360, 15 fps, and a steady tone, 10 s each."""
    camera, microphone = folder / f"{name}.mjpeg", folder / f"{name}.wav"
    picture = (
        f"color=c={colour}:s=640x360:r=15:d=10,"
        "drawbox=x='mod(t*160\\,560)':y=20:w=80:h=60:c=white:t=fill"
    )
    await _ffmpeg("-f", "lavfi", "-i", picture, "-q:v", "4", camera)
    await _ffmpeg("-f", "lavfi", "-i", f"sine=f={tone}:r=48000:d=10", "-ac", "1", microphone)
    return FakeDevices(camera, microphone)


async def _ffmpeg(*arguments: object) -> None:
    process = await asyncio.create_subprocess_exec(
        "ffmpeg", "-v", "error", "-y", *map(str, arguments)
    )
    assert await process.wait() == 0


@asynccontextmanager
async def chromium(playwright: Playwright, devices: FakeDevices | None) -> AsyncIterator[Browser]:
    """Launch a browser whose camera and microphone are `devices`; None: it has none."""
    flags = list(_FLAGS)
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
