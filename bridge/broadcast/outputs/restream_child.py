"""Child process: pushes the FLV on its standard input to one RTMP URL.

Why a process: PyAV holds the GIL while it connects and closes, for ever with a silent server
(note reliability 2.2). Why FFmpeg's `fifo` muxer: its `format_opts` is the only way through PyAV
by which time limits and TLS checks reach the protocol.

    stdin   one line ChildConfig, JSON; then FLV to its end, which ends the publication
    stdout  a ChildLine, JSON, at most twice a second and before a failure
    exit    0 at the end of the input, 3 after an error that a line has told

The URL with its key is in neither argv nor environment, and no line tells it.
"""

import ctypes
import ipaddress
import json
import os
import signal
import socket
import sys
import time
from typing import Any, Final, NoReturn
from urllib.parse import urlsplit

import av

from bridge.broadcast.outputs.liveness import FIFO_PACKETS

_PR_SET_PDEATHSIG: Final = 1
_MAX_CONFIG_BYTES: Final = 16 * 1024
_PROGRESS_SECONDS: Final = 0.5
_DEFAULT_PORTS: Final = {"rtmp": 1935, "rtmps": 443}
# rw_timeout is in microseconds. The send buffer is small so that a server that does not read is
# noticed in seconds and not when the kernel's megabytes are full.
_PROTOCOL_OPTIONS: Final = (
    "rw_timeout=3000000:send_buffer_size=262144:flvflags=no_duration_filesize"
)


def main() -> NoReturn:
    """Run to the end of the input or to an error; leaves by `os._exit` always.

    A stuck container would otherwise hold the interpreter's end for as long as the server likes.
    """
    # A terminal's Ctrl-C is for the broadcast, which then ends this in order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    try:
        config = json.loads(_first_line())
        _check_address(config["url"], allow_private=config["allow_private"])
        _push(config["url"], config["ca"])
    except OSError as error:
        # strerror only: PyAV puts the URL, and so the key, into the exception's text.
        _say(error=error.strerror or type(error).__name__, errno=error.errno or 0)
        os._exit(3)
    except Exception as error:  # noqa: BLE001 - the only other way out would print the URL
        _say(error=type(error).__name__, errno=0)
        os._exit(3)
    os._exit(0)


def _first_line() -> bytes:
    """Read to the first newline, byte by byte: what follows is for the demuxer."""
    line = b""
    while not line.endswith(b"\n") and len(line) < _MAX_CONFIG_BYTES:
        byte = os.read(0, 1)
        if not byte:
            os._exit(1)
        line += byte
    return line


def _check_address(url: str, *, allow_private: bool) -> None:
    """Refuse what does not resolve and, unless allowed, what is not on the public internet."""
    parts = urlsplit(url)
    port = parts.port or _DEFAULT_PORTS[parts.scheme]
    try:
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except socket.gaierror:
        _say(error="the name of the server is not known")
        os._exit(3)
    addresses = [ipaddress.ip_address(entry[4][0]) for entry in found]
    if not allow_private and not all(address.is_global for address in addresses):
        _say(error="not a public address", forbidden=True)
        os._exit(3)


def _push(url: str, ca: str) -> None:
    options = _PROTOCOL_OPTIONS
    if url.startswith("rtmps:"):
        # FFmpeg before 9 does not verify by default; its GnuTLS does not find Debian's roots.
        options += f":tls_verify=1:ca_file={ca}"
    source = av.open(
        os.fdopen(0, "rb", buffering=0),
        format="flv",
        # Not `nobuffer`: with it the packets read for probing are lost, the first keyframe too.
        options={"analyzeduration": "1", "probesize": "4096"},
        buffer_size=4096,
        mode="r",
    )
    output = av.open(
        url,
        "w",
        format="fifo",
        options={"fifo_format": "flv", "queue_size": str(FIFO_PACKETS), "format_opts": options},
    )
    streams = {
        stream.index: output.add_stream_from_template(stream, opaque=True)
        for stream in source.streams
    }
    output.start_encoding()
    packets = sent = 0
    told = time.monotonic()
    for packet in source.demux():
        if packet.dts is None:
            continue
        size = packet.size
        packet.stream = streams[packet.stream.index]
        output.mux_one(packet)
        packets += 1
        sent += size
        if time.monotonic() - told >= _PROGRESS_SECONDS:
            told = time.monotonic()
            _say(packets=packets, bytes=sent)
    # Sends what the fifo still holds and unpublishes.
    output.close()
    _say(packets=packets, bytes=sent)


def _say(**line: Any) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
