"""What this machine must have, looked at one by one, with what to do where it lacks."""

import json
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bridge.clock import SystemClock
from bridge.errors import BridgeError
from bridge.server.ice_probe import failure_of, free_udp_ports, missing_interfaces
from bridge.server.lan import Lan
from bridge.server.recordings.ffmpeg import find_ffmpeg
from bridge.server.tls import open_tls
from bridge.settings import Settings, web_folder

_PORTS_PER_DEBATE: Final = 4
"""Two debaters, each with a new connection beside the one that is being closed."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at."""

    name: str
    ok: bool
    found: str
    remedy: str = ""


def examine(settings: Settings) -> list[Check]:
    """Look at everything; never raises. Media libraries are looked at in a child process."""
    return [
        _python(),
        *_media(settings.encoder),
        _ffmpeg(settings),
        _browser_libraries(),
        _fonts(),
        _port(settings),
        *_https(settings),
        *_media_ports(settings),
        *_media_interfaces(settings),
        *_ice_servers(settings),
        _data_folder(settings.data_dir),
    ]


def _python() -> Check:
    found = sys.version.split()[0]
    return Check("python", sys.version_info >= (3, 11), found, "Install Python 3.11 or newer.")


def _media(encoder: str) -> list[Check]:
    # In a child: this process is the server's kind and stays free of codecs.
    child = subprocess.run(
        [sys.executable, "-m", "bridge.broadcast.self_check", encoder],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if child.returncode != 0:
        reason = (child.stderr.strip().splitlines() or ["it did not start"])[-1]
        return [Check("media libraries", ok=False, found=reason, remedy="Run `make setup` again.")]
    return [
        Check(item["name"], item["ok"], item["found"], item["remedy"])
        for item in json.loads(child.stdout)
    ]


def _ffmpeg(settings: Settings) -> Check:
    found = find_ffmpeg(settings.ffmpeg)
    remedy = "Point BRIDGE_FFMPEG at an ffmpeg that can be run, or run `make setup` again."
    return Check("ffmpeg", found is not None, found or "none that can be run", remedy)


def _browser_libraries() -> Check:
    folder = web_folder() / "static" / "vendor"
    found = sorted(item.name for item in folder.glob("*.js")) + sorted(
        item.name for item in folder.glob("*.mjs")
    )
    return Check(
        "browser libraries",
        len(found) >= 2,
        ", ".join(found) or "none",
        "Run `make setup`: it copies hls.js and socket.io-client from npm.",
    )


def _fonts() -> Check:
    found = sorted(item.name for item in (web_folder() / "fonts").glob("*.otf"))
    return Check(
        "fonts", bool(found), ", ".join(found) or "none", "Restore web/fonts from the repository."
    )


def _port(settings: Settings) -> Check:
    name = f"port {settings.port}"
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.listening_host, settings.port))
        except OSError as error:
            remedy = "Stop what listens there, or choose another with --port or BRIDGE_PORT."
            return Check(name, ok=False, found=error.strerror or "taken", remedy=remedy)
    return Check(name, ok=True, found=f"free on {settings.listening_host}")


def _media_ports(settings: Settings) -> list[Check]:
    if settings.udp_ports is None:
        return []
    first, last = settings.udp_ports
    free = free_udp_ports(settings.udp_ports)
    found = f"{free} of {last - first + 1} free"
    remedy = "Choose others with BRIDGE_UDP_PORTS: a debate takes two, four when debaters return."
    return [Check(f"UDP ports {first}-{last}", free >= _PORTS_PER_DEBATE, found, remedy)]


def _media_interfaces(settings: Settings) -> list[Check]:
    if not settings.udp_interfaces:
        return []
    missing = missing_interfaces(settings.udp_interfaces)
    found = f"{', '.join(missing)} not there" if missing else ", ".join(settings.udp_interfaces)
    remedy = "Name interfaces or addresses that `ip address` shows in BRIDGE_UDP_INTERFACES."
    return [Check("media interfaces", not missing, found, remedy)]


def _ice_servers(settings: Settings) -> list[Check]:
    remedy = "Start it, open its port, or mend BRIDGE_STUN_URLS or BRIDGE_TURN_URLS."
    return [
        Check(
            url, ok=(failure := failure_of(url)) is None, found=failure or "answers", remedy=remedy
        )
        for url in (*settings.stun_urls, *settings.turn_urls)
    ]


def _https(settings: Settings) -> list[Check]:
    if settings.tls is None:
        return []
    try:
        tls = open_tls(settings, Lan.look(), SystemClock().wall())
    except BridgeError as error:
        remedy = "Mend it, or let `--tls self-signed` make a certificate."
        return [Check("https", ok=False, found=error.message, remedy=remedy)]
    return [Check("https", ok=True, found=", ".join(tls.names if tls else ()))]


def _data_folder(folder: Path) -> Check:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".doctor"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        remedy = "Choose a folder you may write to with --data-dir or BRIDGE_DATA_DIR."
        return Check("data folder", ok=False, found=f"{folder}: {error.strerror}", remedy=remedy)
    return Check("data folder", ok=True, found=str(folder))
