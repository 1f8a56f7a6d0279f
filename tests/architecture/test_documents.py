"""The pages at the top of the project tell the truth."""

import re
from collections.abc import Awaitable
from pathlib import Path
from typing import cast

from bridge import __version__
from bridge.clock import FakeClock
from bridge.protocol.messages import EVENTS_TO_CLIENT, EVENTS_TO_SERVER
from bridge.server.app import create_app
from bridge.server.origin.answers import Answer, Asked
from bridge.server.origin.origin import Origin
from bridge.server.origin.routes import Routes
from bridge.settings import Settings

ROOT = Path(__file__).parents[2]
PROTOCOL = (ROOT / "PROTOCOL.md").read_text()


def test_protocol_names_every_event_and_no_other():
    to_server, to_clients = PROTOCOL.split("### To clients")
    documented = set(re.findall(r"^\*\*`(\w+)`\*\*", to_server, re.MULTILINE))
    assert documented == set(EVENTS_TO_SERVER)
    documented = set(re.findall(r"^\*\*`(\w+)`\*\*", to_clients, re.MULTILINE))
    assert documented == set(EVENTS_TO_CLIENT)


def test_protocol_names_every_route_of_the_api_the_origin_and_uploads(tmp_path):
    app = create_app(Settings(data_dir=tmp_path))
    pages = {"/", "/host/{room}", "/debate/{room}", "/watch/{room}", "/recordings", "/favicon.ico"}
    assets = ("/static", "/fonts", "/i18n", "/socket.io")
    served = set()
    for resource in app.router.resources():
        path = re.sub(r"\{(\w+):[^{}]*(\{[^{}]*\}[^{}]*)*\}", r"{\1}", resource.canonical)
        if path not in pages and not path.startswith(assets):
            served.add(path)
    documented = set(re.findall(r"`(?:GET|POST|PUT|PATCH|DELETE) (/[^`]*)`", PROTOCOL))
    plain = {re.sub(r"\{\w+\}", "{}", path) for path in documented}
    missing = {path for path in served if re.sub(r"\{\w+\}", "{}", path) not in plain}
    # What is below it has no routes of aiohttp's.
    assert missing == {"/live/{rest}"}


async def test_protocol_names_no_address_of_players_that_there_is_not():
    routes = Routes(Origin(FakeClock(), listed=6))
    names = {"programme": "room", "rendition": "source", "session": "aaaaaaaa", "n": "7", "k": "7"}
    documented = re.findall(r"`GET (/live/[^`]*)`", PROTOCOL)
    assert len(documented) > 10
    for path in documented:
        reply = routes(Asked("GET", path.format(**names), ""))
        answer = reply if isinstance(reply, Answer) else await cast("Awaitable[Answer]", reply)
        assert b"nothing at this address" not in answer.body, path


def test_readme_names_every_setting():
    readme = (ROOT / "README.md").read_text()
    missing = [name for name in Settings.model_fields if f"`BRIDGE_{name.upper()}`" not in readme]
    assert not missing


def test_changelog_has_an_entry_for_this_version():
    assert f"## [{__version__}]" in (ROOT / "CHANGELOG.md").read_text()


def test_no_registry_host_is_written_down():
    # In two pieces, so that this file does not name them either.
    hosts = [".".join(pair) for pair in (("pypi", "org"), ("npmjs", "org"), ("debian", "org"))]
    locks = [*(ROOT / "requirements").glob("*.lock"), ROOT / "web" / "package-lock.json"]
    assert not [(lock.name, host) for lock in locks for host in hosts if host in lock.read_text()]
