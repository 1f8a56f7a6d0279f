"""Child process: pushes the FLV on its standard input to one RTMP URL.

Why a process: PyAV holds the GIL while it connects and closes, for ever with a silent server
(note reliability 2.2). Why FFmpeg's `fifo` muxer: its `format_opts` is the only way through PyAV
by which time limits and TLS checks reach the protocol.

    stdin   one line ChildConfig, JSON; then FLV to its end, which ends the publication
    stdout  a ChildLine, JSON, twice a second and before a failure
    exit    0 at the end of the input, 3 after an error that a line has told

The URL with its key is in neither argv nor environment, and no line tells it.
"""

import ctypes
import json
import os
import signal
import socket
import stat
import struct
import threading
from pathlib import Path
from typing import Any, Final, NoReturn

import av

from bridge.broadcast.outputs.liveness import FIFO_PACKETS
from bridge.broadcast.outputs.pinned import pin, resolve
from bridge.errors import InputError

_PR_SET_PDEATHSIG: Final = 1
_MAX_CONFIG_BYTES: Final = 16 * 1024
_PROGRESS_SECONDS: Final = 0.5
_BYTES_ACKED: Final = struct.Struct("@120xQ")
"""Where `tcpi_bytes_acked` is in Linux' struct tcp_info (since 4.1)."""
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
        threading.Thread(target=_tell, name="progress", daemon=True).start()
        addresses = resolve(config["url"], allow_private=config["allow_private"])
        # The next attempt takes the next address: one of several may be down.
        _push(config["url"], addresses[config["attempt"] % len(addresses)], config["ca"])
    except InputError as error:
        _say(error=error.message, forbidden=error.code == "private_address")
        os._exit(3)
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


def _push(url: str, address: str, ca: str) -> None:
    pinned = pin(url, address)
    options = [_PROTOCOL_OPTIONS]
    if pinned.options:
        options.append(pinned.options)
    if url.startswith("rtmps:"):
        # FFmpeg before 9 does not verify by default; its GnuTLS does not find Debian's roots.
        options.append(f"tls_verify=1:ca_file={ca}")
    source = av.open(
        os.fdopen(0, "rb", buffering=0),
        format="flv",
        # Not `nobuffer`: with it the packets read for probing are lost, the first keyframe too.
        options={"analyzeduration": "1", "probesize": "4096"},
        buffer_size=4096,
        mode="r",
    )
    output = av.open(
        pinned.url,
        "w",
        format="fifo",
        options={
            "fifo_format": "flv",
            "queue_size": str(FIFO_PACKETS),
            "format_opts": ":".join(options),
        },
    )
    streams = {
        stream.index: output.add_stream_from_template(stream, opaque=True)
        for stream in source.streams
    }
    output.start_encoding()
    for packet in source.demux():
        if packet.dts is None:
            continue
        packet.stream = streams[packet.stream.index]
        output.mux_one(packet)
    # Sends what the fifo still holds and unpublishes.
    output.close()
    _say(acked=_acked())


def _tell() -> None:
    """Say how it goes, twice a second. Thread of its own: the main one may wait for the server.

    While FFmpeg holds the GIL, which it does as it connects, nothing is said: the parent then
    counts the seconds.
    """
    pause = threading.Event()
    while not pause.wait(_PROGRESS_SECONDS):
        _say(acked=_acked())


def _acked() -> int:
    """Bytes that the server's machine has acknowledged, by TCP; 0 without a connection."""
    most = 0
    for entry in Path("/proc/self/fd").iterdir():
        try:
            number = int(entry.name)
            if not stat.S_ISSOCK(os.fstat(number).st_mode):
                continue
            with socket.socket(fileno=os.dup(number)) as copy:
                if copy.family not in {socket.AF_INET, socket.AF_INET6}:
                    continue
                info = copy.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
                most = max(most, _BYTES_ACKED.unpack_from(info)[0])
        except (OSError, struct.error):
            # Closed between two calls, or a kernel that does not tell.
            continue
    return most


def _say(**line: Any) -> None:
    """Write one line in one call: two threads say something."""
    os.write(1, json.dumps(line).encode() + b"\n")


if __name__ == "__main__":
    main()
