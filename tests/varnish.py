"""A real Varnish with the configuration of the documentation."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.helpers import free_port, until

VCL = Path(__file__).parents[1] / "docs" / "edge" / "varnish.vcl"


@asynccontextmanager
async def varnish(folder: Path, port: int, *parameters: str) -> AsyncIterator[str]:
    """Run Varnish in front of loopback port `port`; yields its address."""
    text = VCL.read_text().replace('.port = "8080"', f'.port = "{port}"')
    # Varnish's worker is another user; a folder of pytest's is closed to it.
    configuration = folder / "varnish.vcl"
    configuration.write_text(text)
    listening = free_port()
    command = [
        "/usr/sbin/varnishd", "-F", "-a", f"127.0.0.1:{listening}", "-f", str(configuration),
        "-n", str(folder / "varnish"), "-s", "malloc,128m", "-j", "none",
    ]  # fmt: skip
    for parameter in parameters:
        command += ["-p", parameter]
    log = (folder / "varnish.log").open("wb")
    process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
    try:
        await until(lambda: _listens(listening), "Varnish listens")
        yield f"http://127.0.0.1:{listening}"
    finally:
        process.terminate()
        await process.wait()
        log.close()
        shutil.rmtree(folder / "varnish", ignore_errors=True)


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True
