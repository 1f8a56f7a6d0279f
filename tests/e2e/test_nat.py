"""Debaters and bridge with a router between them: 1:1 NAT, a firewall and a real coturn."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aioice import stun, turn
from playwright.async_api import Page, async_playwright

from bridge.aiortc_inside import addresses
from bridge.protocol.messages import IngestState
from bridge.rooms.model import Side
from bridge.server.ice_servers import turn_credential
from tests.e2e.browsers import chromium, make_devices
from tests.e2e.stack import Bridge, HeadlessDebater, HostEye
from tests.helpers import until
from tests.lab.nat import HTTP_PORT, MEDIA_PORTS, TURN_PORT, Nat, Rules, nat
from tests.lab.stage import SyncDebater

SECRET = "only-coturn-and-the-bridge-know"
JOIN_SECONDS = 3.0
"""From the join to media at the bridge, with servers that answer or none at all."""


@asynccontextmanager
async def bridge_with(
    folder: Path, prefix: Sequence[str], settings: dict[str, Any], *, port: int = 0
) -> AsyncIterator[Bridge]:
    """Run the bridge with `settings` in the `bridge.toml` of its working directory."""
    toml = folder / "bridge.toml"
    toml.touch(mode=0o600)
    # JSON of texts, lists and truth values is TOML.
    toml.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items()))
    bridge = Bridge(folder / "data", port=port, prefix=prefix)
    try:
        await bridge.start()
        yield bridge
    finally:
        await bridge.stop()
        (folder / "bridge.log").write_text("\n".join(bridge.log))


@asynccontextmanager
async def bridge_behind(
    router: Nat, folder: Path, host: str, **settings: Any
) -> AsyncIterator[Bridge]:
    """Run the bridge on the other side of the router; browsers reach its pages at `host`."""
    given = {
        "host": router.bridge, "public_url": f"http://{host}:{HTTP_PORT}",
        "udp_ports": "{}-{}".format(*MEDIA_PORTS), **settings,
    }  # fmt: skip
    prefix = router.in_bridge(folder)
    async with bridge_with(folder, prefix, given, port=HTTP_PORT) as bridge:
        yield bridge


async def go_live(bridge: Bridge) -> dict[str, Any]:
    room = await bridge.create()
    await bridge.call("POST", f"/api/v1/rooms/{room['id']}/start", token=room["host_token"])
    return room


def on_air(eye: HostEye) -> bool:
    """Whether the bridge's peer is in the room: what debaters wait for."""
    return eye.room is not None and eye.room.bridge_session is not None


def receiving(eye: HostEye) -> bool:
    return eye.ingest(Side.PROPOSITION) is IngestState.RECEIVING


async def selected_pair(page: Page) -> dict[str, str]:
    """Types of both ends of the path that the leg to the bridge uses."""
    return dict(
        await page.evaluate(
            """async () => {
              const stats = await window.__debate.bridge()?.getStats();
              if (!stats) return {};
              const transport = [...stats.values()].find((item) => item.selectedCandidatePairId);
              const pair = stats.get(transport?.selectedCandidatePairId);
              if (!pair) return {};
              const local = stats.get(pair.localCandidateId);
              const remote = stats.get(pair.remoteCandidateId);
              return { local: local.candidateType, remote: remote.candidateType };
            }"""
        )
    )


@asynccontextmanager
async def debater_in_chromium(
    bridge: Bridge, folder: Path, invite: str, *hosts: str
) -> AsyncIterator[Page]:
    """A browser in the green room; the click on Join is the caller's. It may reach `hosts`."""
    devices = await make_devices(folder, "red", "0xc01818", 440)
    # getUserMedia wants a secure origin; TLS is not what is tested here.
    secure = f"--unsafely-treat-insecure-origin-as-secure={bridge.url}"
    # Of two such flags the last one counts. Addresses are looked up too, also those of TURN.
    excluded = " , ".join(f"EXCLUDE {host}" for host in ("127.0.0.1", *hosts))
    reach = f"--host-resolver-rules=MAP * ~NOTFOUND , {excluded}"
    async with (
        async_playwright() as playwright,
        chromium(playwright, devices, secure, reach) as browser,
    ):
        page = await browser.new_page()
        await page.goto(invite)
        await page.get_by_test_id("join").wait_for()
        yield page


async def join(page: Page) -> None:
    await page.get_by_test_id("join").click()
    await page.wait_for_selector("main[data-state=stage]")


def turn_settings(router: Nat, secret: str) -> dict[str, Any]:
    return {
        "turn_urls": [f"turn:{router.outside}:{TURN_PORT}?transport=udp"],
        "turn_secret": secret,
    }


async def test_media_of_a_browser_that_is_firewalled_comes_by_coturn(tmp_path: Path) -> None:
    async with nat(Rules.FIREWALL) as router, router.coturn(tmp_path, SECRET):
        async with bridge_behind(
            router, tmp_path, router.bridge, **turn_settings(router, SECRET)
        ) as bridge:
            room = await go_live(bridge)
            async with (
                HostEye(room["links"]["host"]) as eye,
                debater_in_chromium(
                    bridge, tmp_path, room["links"]["proposition"], router.bridge, router.outside
                ) as page,
            ):
                await until(lambda: on_air(eye), "the bridge is in the room")
                await join(page)
                await until(lambda: receiving(eye), "media reaches the bridge")
                assert (await selected_pair(page))["local"] == "relay"
        assert SECRET not in "\n".join(bridge.log)


async def test_a_wrong_secret_gives_no_media_and_says_so(tmp_path: Path) -> None:
    async with (
        nat(Rules.FIREWALL) as router,
        router.coturn(tmp_path, SECRET) as log,
        bridge_behind(
            router, tmp_path, router.bridge, **turn_settings(router, "another secret")
        ) as bridge,
    ):
        room = await go_live(bridge)
        async with (
            HostEye(room["links"]["host"]) as eye,
            debater_in_chromium(
                bridge, tmp_path, room["links"]["proposition"], router.bridge, router.outside
            ) as page,
        ):
            await until(lambda: on_air(eye), "the bridge is in the room")
            await join(page)
            await until(lambda: "401" in log.read_text(), "coturn refuses the credentials")
            await page.wait_for_selector("main[data-bridge=connecting]")
            # Time in which a wrong path would have been found: there is nothing to wait for.
            await asyncio.sleep(3)
            assert eye.ingest(Side.PROPOSITION) is IngestState.CONNECTING
            assert await selected_pair(page) == {}
            assert await page.get_attribute("main", "data-bridge") == "connecting"
            assert await page.get_attribute("main", "data-state") == "stage"


async def test_coturn_takes_our_credentials_until_they_expire(tmp_path: Path) -> None:
    async def allocate(username: str, secret: str) -> None:
        transport, _ = await turn.create_turn_endpoint(
            asyncio.DatagramProtocol,
            server_addr=(router.outside, TURN_PORT),
            username=username,
            password=turn_credential(secret, username),
        )
        transport.close()

    now = int(time.time())
    async with nat(Rules.FIREWALL) as router, router.coturn(tmp_path, SECRET):
        await allocate(f"{now + 3600}:room-proposition", SECRET)
        with pytest.raises(stun.TransactionFailed, match="401"):
            await allocate(f"{now - 60}:room-proposition", SECRET)
        with pytest.raises(stun.TransactionFailed, match="401"):
            await allocate(f"{now + 3600}:room-proposition", "another secret")


@pytest.mark.parametrize("told", [True, False])
async def test_behind_one_to_one_nat_the_public_address_must_be_told(
    tmp_path: Path, told: bool
) -> None:
    async with nat(Rules.ONE_TO_ONE) as router:
        settings = {"public_address": [router.outside]} if told else {}
        async with bridge_behind(router, tmp_path, router.outside, **settings) as bridge:
            room = await go_live(bridge)
            async with HostEye(room["links"]["host"]) as eye:
                await until(lambda: on_air(eye), "the bridge is in the room")
                async with HeadlessDebater(room["links"]["proposition"]):
                    await until(
                        lambda: eye.ingest(Side.PROPOSITION) is not IngestState.ABSENT,
                        "an offer reaches the bridge",
                    )
                    if told:
                        await until(lambda: receiving(eye), "media reaches the bridge")
                    else:
                        # ICE gives up within this; that nothing comes cannot be awaited.
                        await asyncio.sleep(6)
                        assert not receiving(eye)


@pytest.fixture
def black_hole() -> Iterator[str]:
    """Address and port of a socket that takes every packet and never answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        address = addresses.host_addresses(use_ipv4=True, use_ipv6=False)[0]
        silent.bind((address, 0))
        yield f"{address}:{silent.getsockname()[1]}"


@pytest.mark.parametrize("who", ["chromium", "headless"])
async def test_trap_17_servers_that_never_answer_delay_no_join(
    tmp_path: Path, black_hole: str, who: str
) -> None:
    settings = {
        "stun_urls": [f"stun:{black_hole}"],
        "turn_urls": [f"turn:{black_hole}?transport=udp", f"turn:{black_hole}?transport=tcp"],
        "turn_secret": SECRET,
    }
    loop = asyncio.get_running_loop()
    async with bridge_with(tmp_path, ("env", "-C", str(tmp_path)), settings) as bridge:
        room = await go_live(bridge)
        invite = room["links"]["proposition"].replace("localhost", "127.0.0.1")
        async with HostEye(room["links"]["host"]) as eye:
            await until(lambda: on_air(eye), "the bridge is in the room")
            if who == "chromium":
                async with debater_in_chromium(
                    bridge, tmp_path, invite, black_hole.partition(":")[0]
                ) as page:
                    await page.get_by_test_id("join").click()
                    begun = loop.time()
                    await until(lambda: receiving(eye), "media reaches the bridge")
            else:
                # Not the one with a face: drawing it takes seconds on a busy machine.
                async with SyncDebater(invite, (), tmp_path / "debater.log"):
                    await until(lambda: eye.room and eye.room.participants, "he joins")
                    begun = loop.time()
                    await until(lambda: receiving(eye), "media reaches the bridge")
            took = loop.time() - begun
    print(f"{who}: {took:.2f} s from join to media")  # noqa: T201 - a figure for the report
    assert took < JOIN_SECONDS, f"{took:.2f} s"
