"""Other people's players, each with what it says about how it goes."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

MODULES = Path(__file__).parents[2] / "web" / "node_modules"

_PAGE = """<!doctype html><meta charset="utf-8"><title>{name}</title>
<video id="video" muted playsinline width="640"></video>
<script src="/modules/{script}"></script>
<script>
const video = document.getElementById("video");
window.problems = [];
let stalls = 0;
video.addEventListener("waiting", () => (stalls += 1));
window.state = () => ({{
  time: video.currentTime,
  width: video.videoWidth,
  frames: video.getVideoPlaybackQuality().totalVideoFrames,
  sound: video.webkitAudioDecodedByteCount,
  stalls,
  problems: window.problems,
}});
window.play = async (url) => {{ {play} }};
</script>
"""

_HLS_JS = """
const hls = new Hls({ lowLatencyMode: false });
window.hls = hls;
hls.on(Hls.Events.ERROR, (_, { fatal, details }) => fatal && window.problems.push(details));
hls.loadSource(url);
hls.attachMedia(video);
hls.on(Hls.Events.MANIFEST_PARSED, () => video.play());
"""

_SHAKA = """
shaka.polyfill.installAll();
const player = new shaka.Player();
await player.attach(video);
player.configure({ streaming: { lowLatencyMode: true } });
player.addEventListener("error", ({ detail }) => window.problems.push(`shaka ${detail.code}`));
try { await player.load(url); } catch (error) { window.problems.push(`shaka ${error.code}`); }
await video.play();
"""

_DASH_JS = """
const player = dashjs.MediaPlayer().create();
player.on("error", ({ error }) => window.problems.push(error?.message ?? String(error)));
player.initialize(video, url, true);
"""

PAGES = {
    "hls": ("hls.js/dist/hls.min.js", _HLS_JS),
    "shaka": ("shaka-player/dist/shaka-player.compiled.js", _SHAKA),
    "dash": ("dashjs/dist/modern/umd/dash.all.min.js", _DASH_JS),
}


@asynccontextmanager
async def player_pages() -> AsyncIterator[str]:
    """Serve a page for each of `PAGES` on an origin of their own; yields its address."""

    async def page(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        script, play = PAGES[name]
        text = _PAGE.format(name=name, script=script, play=play)
        return web.Response(text=text, content_type="text/html")

    app = web.Application()
    app.router.add_get("/{name}.html", page)
    app.router.add_static("/modules", MODULES)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def run(*command: str, seconds: float) -> tuple[int, str]:
    """Run a player; returns its exit code and what it said. Interrupted after `seconds`."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    reading = asyncio.create_task(process.stdout.read())
    for patience, sign in ((seconds, signal.SIGINT), (5, signal.SIGKILL)):
        try:
            await asyncio.wait_for(process.wait(), patience)
            break
        except TimeoutError:
            process.send_signal(sign)
    await process.wait()
    said = await reading
    return process.returncode or 0, said.decode(errors="replace")
