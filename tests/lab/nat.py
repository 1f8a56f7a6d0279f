"""A router between the test's own network and the bridge's, and a real coturn on it.

    root namespace 10.80.n.1 --- 10.80.n.2 router 10.80.n.5 --- 10.80.n.6 bridge

The router forwards as `Rules` say; coturn has a leg in both networks. Needs root, `ip` and `nft`.
"""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from enum import Enum
from pathlib import Path
from typing import Final

MEDIA_PORTS: Final = (40_000, 40_019)
HTTP_PORT: Final = 8080
TURN_PORT: Final = 3478
_UP_SECONDS: Final = 10.0


class Rules(Enum):
    """What the router does with what is not for itself."""

    FIREWALL = """
        table ip lab {
            chain pass { type filter hook forward priority 0; policy drop;
                meta l4proto tcp accept
                counter drop
            }
        }"""
    """Only TCP passes: media has no way but the relay."""
    ONE_TO_ONE = """
        table ip lab {
            chain in { type nat hook prerouting priority -100;
                iifname "outside" ip daddr OUTSIDE dnat to BRIDGE
            }
            chain pass { type filter hook forward priority 0; policy drop;
                ct status dnat accept
                counter drop
            }
        }"""
    """The router's address is the bridge's; nobody outside reaches the bridge's own. What the
    bridge begins by itself is dropped too, as a firewall before the debater does."""


class Nat:
    """The two networks while they are there."""

    def __init__(self, name: str, number: int) -> None:
        third, fourth = divmod(number, 32)
        base = f"10.80.{third}."
        self.outside = base + str(fourth * 8 + 2)
        """The router, as the test and its browsers see it."""
        self.tester = base + str(fourth * 8 + 1)
        self.inside = base + str(fourth * 8 + 5)
        self.bridge = base + str(fourth * 8 + 6)
        self.router_namespace = f"{name}-r"
        self.bridge_namespace = f"{name}-b"

    def in_bridge(self, folder: Path) -> tuple[str, ...]:
        """Words before a command that is to run at the bridge's side, in `folder`."""
        return ("ip", "netns", "exec", self.bridge_namespace, "env", "-C", str(folder))

    @asynccontextmanager
    async def coturn(self, folder: Path, secret: str) -> AsyncIterator[Path]:
        """Run a TURN server on the router; yields its log."""
        log = folder / "turn.log"
        settings = folder / "turnserver.conf"
        settings.touch(mode=0o600)
        # What README shows, and both legs.
        settings.write_text(
            f"use-auth-secret\nstatic-auth-secret={secret}\nrealm=debate.example\n"
            f"listening-ip={self.outside}\nlistening-port={TURN_PORT}\nrelay-ip={self.inside}\n"
            "min-port=49152\nmax-port=49252\nfingerprint\nno-multicast-peers\nno-cli\nno-tls\n"
            f"no-dtls\nverbose\nsimple-log\nlog-file={log}\npidfile={folder / 'turn.pid'}\n"
            f"userdb={folder / 'turn.sqlite'}\n"
        )
        process = await asyncio.create_subprocess_exec(
            "ip", "netns", "exec", self.router_namespace, "turnserver", "-c", str(settings),
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            await _until_listening(self.outside, TURN_PORT)
            yield log
        finally:
            if process.returncode is None:
                process.terminate()
                try:
                    await asyncio.wait_for(process.wait(), 5)
                except TimeoutError:
                    process.kill()
                    await process.wait()


@asynccontextmanager
async def nat(rules: Rules) -> AsyncIterator[Nat]:
    """Make both networks and the router; take all away in the end, whatever happens."""
    missing = [name for name in ("ip", "nft", "turnserver") if shutil.which(name) is None]
    assert not missing, f"{', '.join(missing)} missing: run tests/install-debian.sh"
    assert os.geteuid() == 0, "network namespaces need root: run these tests as root"
    made = Nat(f"dbn-{os.getpid()}", os.getpid() % 8192)
    async with AsyncExitStack() as stack:
        for namespace in (made.router_namespace, made.bridge_namespace):
            await _ip("netns", "add", namespace)
            stack.push_async_callback(_ip, "netns", "delete", namespace)
            await _ip("-n", namespace, "link", "set", "lo", "up")
        device = f"dbn{os.getpid()}"
        await _wire(made, device)
        # A namespace takes it along too, but only some time after it has gone itself.
        stack.push_async_callback(_ip, "link", "delete", device)
        router = ("ip", "netns", "exec", made.router_namespace)
        await _run((*router, "sysctl", "-qw", "net.ipv4.ip_forward=1"))
        ruleset = rules.value.replace("OUTSIDE", made.outside).replace("BRIDGE", made.bridge)
        await _run((*router, "nft", "-f", "-"), given=ruleset)
        if rules is Rules.FIREWALL:
            await _ip("route", "add", f"{made.bridge}/32", "via", made.outside)
        else:
            # Nothing goes astray by this machine's own default route.
            await _ip("route", "add", "blackhole", f"{made.bridge}/32")
            stack.push_async_callback(_ip, "route", "delete", "blackhole", f"{made.bridge}/32")
        yield made


async def _wire(made: Nat, device: str) -> None:
    router, bridge = made.router_namespace, made.bridge_namespace
    await _ip("link", "add", device, "type", "veth", "peer", "name", "outside", "netns", router)
    await _ip("address", "add", f"{made.tester}/30", "dev", device)
    await _ip("link", "set", device, "up")
    await _ip(
        "-n", router, "link", "add", "inside", "type", "veth",
        "peer", "name", "inside", "netns", bridge,
    )  # fmt: skip
    for namespace, name, address in (
        (router, "outside", made.outside),
        (router, "inside", made.inside),
        (bridge, "inside", made.bridge),
    ):
        await _ip("-n", namespace, "address", "add", f"{address}/30", "dev", name)
        await _ip("-n", namespace, "link", "set", name, "up")
    await _ip("-n", bridge, "route", "add", "default", "via", made.inside)


async def _until_listening(host: str, port: int) -> None:
    async with asyncio.timeout(_UP_SECONDS):
        while True:
            try:
                _, writer = await asyncio.open_connection(host, port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                await writer.wait_closed()
                return


async def _ip(*words: str) -> None:
    await _run(("ip", *words))


async def _run(command: Sequence[str], *, given: str = "") -> None:
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    _, said = await asyncio.wait_for(process.communicate(given.encode()), 10)
    assert process.returncode == 0, f"{' '.join(command)}: {said.decode().strip()}"
