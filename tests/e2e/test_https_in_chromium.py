"""A debate over HTTPS by the machine's address on its network, as a phone would take part."""

import re
import ssl
from pathlib import Path

import aiohttp
import numpy as np
import pytest
from cryptography import x509
from playwright.async_api import async_playwright

from bridge.server.lan import Lan, in_url
from bridge.server.tls_authority import fingerprint
from tests.e2e.browsers import chromium, make_devices, reaching
from tests.e2e.programme_probe import LEFT_TILE, decode, region
from tests.e2e.stack import Bridge
from tests.helpers import until
from tests.server import DEBATE

LAN = Lan.look().address

pytestmark = pytest.mark.skipif(LAN is None, reason="this machine has no address on a network")


class HttpsBridge(Bridge):
    """`debate-bridge serve --tls self-signed`."""

    def __init__(self, data: Path) -> None:
        super().__init__(data, options=("--tls", "self-signed", "--show-invites"))

    def _address(self) -> str:
        return next(iter(self.printed(r"^Debate bridge on (https://\S+)")), "")

    def printed(self, pattern: str) -> list[str]:
        """First groups of all lines of the output that match."""
        return [found[1] for line in self.log if (found := re.search(pattern, line))]


@pytest.fixture
async def https_bridge(tmp_path, artefacts, request):
    running = HttpsBridge(tmp_path / "data")
    try:
        await running.start()
        yield running
    finally:
        await running.stop()
        (artefacts / f"{request.node.name}.log").write_text("\n".join(running.log))


async def trusted_session(bridge: HttpsBridge) -> aiohttp.ClientSession:
    """Do as people do: fetch the authority unseen, compare its fingerprint, trust it alone."""
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{bridge.url}/ca.crt", ssl=False) as answer,
    ):
        authority = await answer.text()
    [shown] = bridge.printed(r"SHA-256\s+(\S+)")
    assert fingerprint(x509.load_pem_x509_certificate(authority.encode())) == shown
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=authority)
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context))


async def download(http: aiohttp.ClientSession, playlist: str, target: Path) -> bool:
    """Save what a media playlist lists, init section first; False while it lists too little."""
    async with http.get(playlist) as answer:
        text = await answer.text() if answer.status == 200 else ""
    init = re.search(r'#EXT-X-MAP:URI="([^"]+)"', text)
    segments = re.findall(r"^[^#\s]\S*$", text, re.MULTILINE)
    if init is None or len(segments) < 3:
        return False
    base = playlist.rpartition("/")[0]
    with target.open("wb") as file:
        for name in (init[1], *segments[-2:]):
            async with http.get(f"{base}/{name}") as answer:
                assert answer.status == 200
                file.write(await answer.read())
    return True


async def media_playlist(http: aiohttp.ClientSession, multivariant: str) -> str:
    """Return the address of the first variant; "" while there is none."""
    async with http.get(multivariant) as answer:
        text = await answer.text() if answer.status == 200 else ""
    variants = re.findall(r"^[^#\s]\S*$", text, re.MULTILINE)
    return f"{multivariant.rpartition('/')[0]}/{variants[0]}" if variants else ""


async def test_a_debater_on_the_network_goes_on_air_over_https(https_bridge, tmp_path, artefacts):
    bridge = https_bridge
    host = in_url(str(LAN))
    port = bridge.url.rpartition(":")[2]
    assert bridge.url == f"https://{host}:{port}"
    red = await make_devices(tmp_path, "red", "0xc01818", 440)
    async with (
        await trusted_session(bridge) as http,
        async_playwright() as playwright,
        chromium(playwright, red, reaching(str(LAN))) as browser,
    ):
        for base in (bridge.url, f"https://127.0.0.1:{port}", f"https://localhost:{port}"):
            for path in ("/", "/trust", "/recordings", "/healthz"):
                async with http.get(base + path) as answer:
                    assert answer.status == 200, base + path

        # The host sits at the server; what he sends out has the address on the network.
        async with http.post(f"https://localhost:{port}/api/v1/rooms", json=DEBATE) as answer:
            room = await answer.json()
        links = room["links"]
        assert links["proposition"].startswith(f"{bridge.url}/debate/")
        assert bridge.printed(r"^  proposition\s+(\S+)") == [links["proposition"]]

        context = await browser.new_context(ignore_https_errors=True)
        debater, watch, console = [await context.new_page() for _ in range(3)]
        await debater.goto(links["proposition"])
        assert await debater.evaluate("isSecureContext")
        await debater.get_by_test_id("join").click()
        await debater.wait_for_selector("main[data-state=stage]")

        headers = {"Authorization": f"Bearer {room['host_token']}"}
        start = f"{bridge.url}/api/v1/rooms/{room['id']}/start"
        async with http.post(start, headers=headers) as answer:
            assert answer.status == 200
        await debater.wait_for_selector("main[data-bridge=connected]")

        await watch.goto(links["watch"])
        await watch.wait_for_selector("main[data-state=live]")
        await watch.wait_for_function("() => document.getElementById('programme').currentTime > 1")
        await watch.screenshot(path=artefacts / "https-watch.png")

        playlist = await until(lambda: media_playlist(http, links["hls"]), "there is a playlist")
        programme = tmp_path / "programme.mp4"
        await until(lambda: _is_red(http, playlist, programme), "the debater is seen", seconds=60)

        await console.goto(links["host"].replace("localhost", host))
        await console.get_by_test_id("qr-proposition").click()
        await console.wait_for_selector("#qr-dialog[open] svg path")
        await console.screenshot(path=artefacts / "https-qr.png")
        await console.keyboard.press("Escape")
        await console.wait_for_selector("#qr-dialog", state="hidden")
        assert await console.evaluate("document.activeElement.dataset.qr") == "proposition"

        logged = [line for line in bridge.log if re.match(r"\d{4}-\d\d-\d\d ", line)]
        secrets = [link.partition("#")[2] for link in links.values() if "#" in link]
        assert logged
        assert not [line for line in logged for secret in secrets if secret in line]


async def _is_red(http: aiohttp.ClientSession, playlist: str, target: Path) -> bool:
    if not await download(http, playlist, target):
        return False
    left = np.median([region(p, LEFT_TILE) for p in decode(target).pictures[-15:]], axis=0)
    return bool(left[0] > left[2] + 60)


async def test_a_second_start_keeps_the_authority_that_devices_trust(https_bridge, tmp_path):
    [first] = https_bridge.printed(r"SHA-256\s+(\S+)")
    async with await trusted_session(https_bridge) as http:
        await https_bridge.stop()
        https_bridge.log.clear()
        await https_bridge.start()
        assert https_bridge.printed(r"SHA-256\s+(\S+)") == [first]
        async with http.get(f"{https_bridge.url}/healthz") as answer:
            assert answer.status == 200
