"""Real headless Firefox with fake devices, driven over WebDriver BiDi (W3C) and nothing else."""

import asyncio
import base64
import contextlib
import json
import os
import re
import shutil
import tempfile
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import aiohttp

from tests.helpers import until

FIREFOX = "/usr/bin/firefox-esr"
ANSWER_SECONDS = 30

_PREFERENCES: Mapping[str, bool | int | str] = {
    "media.navigator.permission.disabled": True,
    "media.navigator.streams.fake": True,
    "media.autoplay.default": 0,
    # As it comes: addresses of this machine are names under .local in what pages are told.
    "media.peerconnection.ice.obfuscate_host_addresses": True,
    # A closed network: no browser of ours looks anything up or fetches a codec.
    "app.update.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.healthreport.uploadEnabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.update.enabled": False,
    "media.gmp-manager.updateEnabled": False,
    "media.gmp-provider.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "network.dns.disablePrefetch": True,
    "services.settings.server": "data:,",
    "toolkit.telemetry.enabled": False,
    "intl.accept_languages": "en",
}
_LISTENING = re.compile(r"WebDriver BiDi listening on (ws://\S+)")
# Serialized by the page: plain values here, and functions as well as expressions there.
_AS_JSON = """(async () => {{
  const value = ({source});
  return JSON.stringify((await (typeof value === "function" ? value() : value)) ?? null);
}})()"""


class BidiError(Exception):
    """Firefox refused a command, or the page's script threw."""


class FirefoxPage:
    """One tab."""

    def __init__(self, firefox: "Firefox", context: str) -> None:
        self._firefox = firefox
        self._context = context

    async def goto(self, url: str) -> None:
        """Navigate and wait for the load event."""
        await self._command("browsingContext.navigate", url=url, wait="complete")

    async def reload(self) -> None:
        """Reload and wait for the load event."""
        await self._command("browsingContext.reload", wait="complete")

    async def evaluate(self, source: str) -> Any:
        """Return what an expression or a function is in the page, awaited, as JSON has it."""
        answer = await self._firefox.command(
            "script.evaluate",
            expression=_AS_JSON.format(source=source),
            target={"context": self._context},
            awaitPromise=True,
        )
        if answer["type"] == "exception":
            raise BidiError(f"{answer['exceptionDetails']['text']} in: {source}")
        return json.loads(answer["result"]["value"])

    async def wait_for(self, source: str, what: str, *, seconds: float = 20) -> Any:
        """Poll until `evaluate(source)` is true and return it."""
        return await until(lambda: self.evaluate(source), what, seconds=seconds)

    async def click(self, selector: str) -> None:
        """Move the mouse to the one element of a CSS selector and press, as a person does."""
        await self._click({"type": "css", "value": selector})

    async def press(self, words: str) -> None:
        """Click the one element whose own text this is.

        Not by role and name: the first look at Firefox's accessibility tree has stopped the page
        for up to nine seconds, which it takes for a sleep of the machine.
        """
        await self._click({"type": "xpath", "value": f'//*[normalize-space(text())="{words}"]'})

    async def screenshot(self, path: Path) -> None:
        """Save what is in view as PNG."""
        answer = await self._command("browsingContext.captureScreenshot", origin="viewport")
        await asyncio.to_thread(path.write_bytes, base64.b64decode(answer["data"]))

    async def _click(self, locator: dict[str, Any]) -> None:
        nodes = (await self._command("browsingContext.locateNodes", locator=locator))["nodes"]
        if len(nodes) != 1:
            raise BidiError(f"{len(nodes)} elements, not one: {locator['value']}")
        element = {"sharedId": nodes[0]["sharedId"]}
        await self._firefox.command(
            "script.callFunction",
            functionDeclaration="(node) => node.scrollIntoView({block: 'nearest'})",
            arguments=[element],
            target={"context": self._context},
            awaitPromise=False,
        )
        origin = {"type": "element", "element": element}
        actions = [
            {"type": "pointerMove", "x": 0, "y": 0, "origin": origin},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]
        mouse = {"type": "pointer", "id": "mouse", "actions": actions}
        await self._command("input.performActions", actions=[mouse])

    async def _command(self, method: str, **parameters: Any) -> Any:
        return await self._firefox.command(method, context=self._context, **parameters)


class Firefox:
    """A Firefox with a profile of its own, killed at the end whatever happens.

    An error that leaves the block carries the newest lines of all consoles as a note.
    """

    def __init__(self) -> None:
        self.console: deque[str] = deque(maxlen=500)
        """`level: text` of every page's console and uncaught errors, oldest first."""
        self._folder = Path(tempfile.mkdtemp(prefix="firefox-"))
        self._output: deque[str] = deque(maxlen=100)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._commands = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._process: asyncio.subprocess.Process | None = None
        self._http: aiohttp.ClientSession | None = None
        self._socket: aiohttp.ClientWebSocketResponse | None = None

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException as error:
            error.add_note("\n".join(self._output))
            await self._stop()
            raise
        return self

    async def __aexit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if error is not None:
            error.add_note("\n".join(["Firefox's consoles:", *list(self.console)[-40:]]))
        await self._stop()

    async def new_page(self, *, width: int = 1280, height: int = 800) -> FirefoxPage:
        """Open a tab with a viewport of this many CSS pixels."""
        created = await self.command("browsingContext.create", type="tab")
        viewport = {"width": width, "height": height}
        await self.command(
            "browsingContext.setViewport", context=created["context"], viewport=viewport
        )
        return FirefoxPage(self, created["context"])

    async def command(self, method: str, **parameters: Any) -> Any:
        """Send a BiDi command and return its result; BidiError when Firefox refuses it."""
        assert self._socket is not None
        self._commands += 1
        number = self._commands
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        try:
            await self._socket.send_json({"id": number, "method": method, "params": parameters})
            async with asyncio.timeout(ANSWER_SECONDS):
                return await answer
        finally:
            del self._answers[number]

    async def _start(self) -> None:
        profile = self._folder / "profile"
        profile.mkdir()
        (profile / "user.js").write_text(
            "".join(
                f"user_pref({json.dumps(name)}, {json.dumps(value)});\n"
                for name, value in _PREFERENCES.items()
            )
        )
        self._process = await asyncio.create_subprocess_exec(
            FIREFOX, "--headless", "--no-remote", "--profile", profile,
            "--remote-debugging-port", "0",
            # It writes into HOME whatever its profile is.
            env={**os.environ, "HOME": str(self._folder)},
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        self._tasks.append(asyncio.create_task(self._read_output(self._process)))
        address = await until(self._address, "Firefox says where it listens")
        self._http = aiohttp.ClientSession()
        # Screenshots are large.
        self._socket = await self._http.ws_connect(f"{address}/session", max_msg_size=0)
        self._tasks.append(asyncio.create_task(self._read_messages(self._socket)))
        await self.command("session.new", capabilities={})
        await self.command("session.subscribe", events=["log.entryAdded"])

    def _address(self) -> str:
        assert self._process is not None
        assert self._process.returncode is None, "Firefox has ended"
        found = _LISTENING.search("\n".join(self._output))
        return found[1] if found else ""

    async def _read_output(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        async for line in process.stderr:
            self._output.append(line.decode(errors="replace").rstrip())

    async def _read_messages(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            body = json.loads(message.data)
            answer = self._answers.get(body.get("id"))
            if body.get("method") == "log.entryAdded":
                entry = body["params"]
                self.console.append(f"{entry['level']}: {entry['text']}")
            elif answer is None or answer.done():
                continue
            elif body["type"] == "error":
                answer.set_exception(BidiError(f"{body['error']}: {body['message']}"))
            else:
                answer.set_result(body["result"])
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(BidiError("Firefox has closed the connection"))

    async def _stop(self) -> None:
        if self._socket is not None:
            await self._socket.close()
        if self._http is not None:
            await self._http.close()
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        await asyncio.gather(*self._tasks)
        # Children of a killed Firefox may still write for a moment.
        shutil.rmtree(self._folder, ignore_errors=True)
