"""Two network namespaces, a server's and the debaters', with one impairable cable between them.

    root namespace --- veth --- server's 10.77.x.1 === cable === 10.77.x.2 debaters'

The server has one address for all. The test reaches it by the veth, which nothing impairs; the
debaters have the cable alone. Needs root, `ip` and `nft`.
"""

import asyncio
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from tests.lab.cable import DEVICE
from tests.lab.impairment import Impairment

_READY_SECONDS: Final = 20.0
_PROJECT: Final = Path(__file__).parents[2]


class Lab:
    """The two namespaces while they are there."""

    def __init__(self, name: str, cable: asyncio.subprocess.Process, server_address: str) -> None:
        self.server_address = server_address
        self._server = f"{name}-a"
        self._debaters = f"{name}-b"
        self._cable = cable

    @property
    def server_prefix(self) -> tuple[str, ...]:
        """Words before a command that is to run at the server's side."""
        return ("ip", "netns", "exec", self._server)

    @property
    def debaters_prefix(self) -> tuple[str, ...]:
        """Words before a command that is to run at the debaters' side."""
        return ("ip", "netns", "exec", self._debaters)

    async def impair(self, impairment: Impairment) -> None:
        """Have the cable do this to every packet from now on."""
        assert self._cable.stdin is not None
        self._cable.stdin.write(json.dumps(impairment.as_json()).encode() + b"\n")
        await self._cable.stdin.drain()

    async def lose(self, percent: int) -> None:
        """Lose this share of all UDP packets from now on, each way by itself.

        Where they arrive: what an output hook drops, the sender would be told of (EPERM).
        """
        for namespace in (self._server, self._debaters):
            await _run("ip", "netns", "exec", namespace, "nft", "-f", "-", given=_ruleset(percent))


@asynccontextmanager
async def lab() -> AsyncIterator[Lab]:
    """Make both namespaces and plug the cable in; take all away in the end, whatever happens."""
    _require()
    name = f"dbr-{os.getpid()}"
    async with AsyncExitStack() as stack:
        for end in ("a", "b"):
            await _run("ip", "netns", "add", f"{name}-{end}")
            stack.push_async_callback(_run, "ip", "netns", "delete", f"{name}-{end}")
            await _run("ip", "-n", f"{name}-{end}", "link", "set", "lo", "up")
        cable = await stack.enter_async_context(_cable(name))
        # Networks of four addresses by process number, so that several labs fit side by side.
        third, quarter = divmod(os.getpid() % 16_000, 64)
        cable_network, veth_network = (f"10.{n}.{third}.{{}}" for n in (77, 78))
        server, debaters = (cable_network.format(4 * quarter + n) for n in (1, 2))
        await _address(f"{name}-a", DEVICE, server)
        await _address(f"{name}-b", DEVICE, debaters)
        await _join_root(
            f"{name}-a", server, [veth_network.format(4 * quarter + n) for n in (1, 2)]
        )
        yield Lab(name, cable, server)


def _require() -> None:
    """Fail, rather than skip: a machine that cannot do this must not look as if it had."""
    missing = [command for command in ("ip", "nft") if shutil.which(command) is None]
    assert not missing, f"{', '.join(missing)} missing: run tests/install-debian.sh"
    assert os.geteuid() == 0, "network namespaces need root: run these tests as root"
    assert Path("/dev/net/tun").exists(), "/dev/net/tun is missing: run `modprobe tun`"


@asynccontextmanager
async def _cable(name: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.lab.cable", f"{name}-a", f"{name}-b",
        cwd=_PROJECT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(_READY_SECONDS):
            assert await process.stdout.readline() == b"ready\n", "the cable did not come up"
        yield process
    finally:
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 5)
        except TimeoutError:
            process.kill()
            await process.wait()


async def _join_root(namespace: str, server: str, ends: Sequence[str]) -> None:
    """Let this namespace reach `server`, which is in the other, by a veth with these `ends`."""
    # The namespace takes its end, and with it ours and the route, along when it goes.
    outside, inside = f"dbr{os.getpid()}", "control"
    await _run(
        "ip", "link", "add", outside, "type", "veth", "peer", "name", inside, "netns", namespace
    )
    await _run("ip", "address", "add", f"{ends[0]}/30", "dev", outside)
    await _run("ip", "link", "set", outside, "up")
    await _address(namespace, inside, ends[1])
    await _run("ip", "route", "add", f"{server}/32", "via", ends[1])


async def _address(namespace: str, device: str, address: str) -> None:
    await _run("ip", "-n", namespace, "address", "add", f"{address}/30", "dev", device)
    await _run("ip", "-n", namespace, "link", "set", device, "up")


def _ruleset(percent: int) -> str:
    rule = f'iifname "{DEVICE}" meta l4proto udp numgen random mod 100 < {percent} counter drop'
    return "\n".join(
        (
            # Adding a table that is there does nothing, so that deleting it always works.
            "add table inet impairment",
            "delete table inet impairment",
            "add table inet impairment",
            "add chain inet impairment arrival { type filter hook input priority 0; }",
            f"add rule inet impairment arrival {rule}" if percent else "",
            "",
        )
    )


async def _run(*command: str, given: str = "") -> None:
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    _, said = await asyncio.wait_for(process.communicate(given.encode()), 10)
    assert process.returncode == 0, f"{' '.join(command)}: {said.decode().strip()}"
