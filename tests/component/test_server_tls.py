"""The server over HTTPS on real sockets, with stand-ins for broadcasts."""

import json
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from ipaddress import ip_address
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from typer.testing import CliRunner

from bridge.cli import cli
from bridge.clock import SystemClock
from bridge.errors import SettingsError
from bridge.server.app import PARTS, connections, create_app
from bridge.server.lan import Lan
from bridge.server.listening import Addresses, Listening
from bridge.server.tls import open_tls
from bridge.settings import Settings
from tests.helpers import free_port, until
from tests.server import DEBATE, stand_in

# An address that others would type and this machine answers to: all of 127/8 is its own.
LAN = Lan((ip_address("127.0.0.7"),), ("studio",))
ROOMS = "/api/v1/rooms"


@asynccontextmanager
async def serving(folder: Path, **more: object) -> AsyncIterator[Addresses]:
    settings = Settings.model_validate(
        {"data_dir": folder / "data", "port": 0, "tls": "self-signed", **more}
    )
    tls = open_tls(settings, LAN, SystemClock().wall())
    app = create_app(settings, command=stand_in(folder / "notes"), tls=tls)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    listening = Listening(connections(runner, app[PARTS].lane))
    try:
        addresses = app[PARTS].addresses
        await listening.open(settings, tls, addresses)
        app[PARTS].debates.server_url = addresses.local
        yield addresses
    finally:
        await listening.close()
        await runner.cleanup()


async def trusting(addresses: Addresses) -> aiohttp.ClientSession:
    """Return a session that trusts what the server offers for download, and nothing else."""
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{addresses.local}/ca.crt") as answer,
    ):
        authority = await answer.text()
        assert answer.content_type == "application/x-x509-ca-cert"
        assert 'filename="debate-bridge-ca.crt"' in answer.headers["Content-Disposition"]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=authority)
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context))


async def test_every_name_of_the_machine_is_vouched_for(tmp_path):
    async with serving(tmp_path) as addresses:
        port = addresses.shown.rpartition(":")[2]
        assert addresses.shown == f"https://127.0.0.7:{port}"
        async with await trusting(addresses) as http:
            for host in ("127.0.0.7", "127.0.0.1", "localhost"):
                async with http.get(f"https://{host}:{port}/healthz") as answer:
                    assert answer.status == 200
            with pytest.raises(aiohttp.ClientConnectorCertificateError):
                await http.get(f"https://127.0.0.8:{port}/healthz")
        async with aiohttp.ClientSession() as stranger:
            with pytest.raises(aiohttp.ClientConnectorCertificateError):
                await stranger.get(f"{addresses.shown}/healthz")


@pytest.mark.parametrize(("lang", "words"), [("en", "Trust this server"), ("fr", "Approuver ce")])
async def test_a_page_says_how_to_trust_it(tmp_path, lang, words):
    async with serving(tmp_path) as addresses, aiohttp.ClientSession(addresses.local) as http:
        async with http.get(f"/trust?lang={lang}") as answer:
            text = await answer.text()
        assert (answer.status, answer.content_type) == (200, "text/html")
        assert words in text
        assert 'href="/ca.crt"' in text
        assert "trust." not in text.replace("trust.css", "")
        async with http.get("/") as answer:
            assert 'href="/trust"' in await answer.text()


async def test_without_an_authority_of_its_own_there_is_nothing_to_trust(tmp_path):
    async with (
        serving(tmp_path, tls=None) as addresses,
        aiohttp.ClientSession(addresses.local) as http,
    ):
        for path in ("/trust", "/ca.crt"):
            async with http.get(path) as answer:
                assert answer.status == 404
        async with http.get("/") as answer:
            assert "/trust" not in await answer.text()


async def test_links_are_for_other_devices_and_the_host_stays_where_he_is(tmp_path):
    async with serving(tmp_path) as addresses, await trusting(addresses) as http:
        port = addresses.shown.rpartition(":")[2]
        for typed, host_base in (
            (f"https://localhost:{port}", f"https://localhost:{port}"),
            (addresses.shown, addresses.shown),
            (addresses.local, addresses.shown),
        ):
            async with http.post(typed + ROOMS, json=DEBATE) as answer:
                links = (await answer.json())["links"]
            assert links.pop("host").startswith(f"{host_base}/host/")
            assert all(link.startswith(addresses.shown) for link in links.values()), links


async def test_broadcasts_come_in_by_a_plain_loopback_site(tmp_path):
    async with serving(tmp_path) as addresses, aiohttp.ClientSession(addresses.local) as http:
        assert addresses.local.startswith("http://127.0.0.1:")
        async with http.post(ROOMS, json=DEBATE) as answer:
            room = await answer.json()
        headers = {"Authorization": f"Bearer {room['host_token']}"}
        async with http.post(f"{ROOMS}/{room['id']}/rehearse", headers=headers) as answer:
            assert answer.status == 200
        [told] = await until(lambda: _told(tmp_path / "notes"), "the broadcast was told")
        assert json.loads(told)["server_url"] == addresses.local


def _told(folder: Path) -> list[str]:
    """What stand-ins for broadcasts have been told."""
    return [path.read_text() for path in folder.glob("told-*.json")]


async def test_invites_are_printed_when_that_is_asked_for_and_never_logged(
    tmp_path, capsys, caplog
):
    for show_invites in (True, False):
        async with (
            serving(tmp_path, show_invites=show_invites) as addresses,
            aiohttp.ClientSession(addresses.local) as http,
        ):
            async with http.post(ROOMS, json=DEBATE) as answer:
                links = (await answer.json())["links"]
            printed = capsys.readouterr().out
            assert all((link in printed) is show_invites for link in links.values())
            assert ("█" in printed) is show_invites
            assert links["proposition"].partition("#")[2] not in caplog.text


async def test_a_port_that_is_taken_is_said(tmp_path):
    port = free_port()
    async with serving(tmp_path, port=port):
        with pytest.raises(SettingsError, match="Cannot listen on"):
            async with serving(tmp_path / "second", port=port):
                pass


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--tls", "/nowhere/cert.pem"], "a certificate needs its key"),
        (["/nowhere/key.pem"], "a key is only for a certificate"),
        (["--tls", "self-signed", "key.pem"], "a key is only for a certificate"),
    ],
)
def test_the_command_line_takes_a_certificate_with_its_key(tmp_path, words, sentence):
    result = CliRunner().invoke(cli, ["serve", "--data-dir", str(tmp_path), *words])
    assert result.exit_code == 2
    assert sentence in result.output


def test_a_file_that_cannot_be_used_ends_the_command_in_one_sentence(tmp_path):
    command = Path(sys.executable).parent / "debate-bridge"
    words = ["serve", "--data-dir", tmp_path, "--tls", "/nowhere/c.pem", "/nowhere/k.pem"]
    run = partial(subprocess.run, capture_output=True, text=True, timeout=60, check=False)
    result = run([command, *words])
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        "debate-bridge: Cannot read the certificate /nowhere/c.pem: No such file or directory.\n"
    )
