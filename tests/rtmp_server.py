"""A real nginx-rtmp on a free loopback port, for component and end-to-end tests."""

import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

_MODULES = (
    Path("/usr/lib/nginx/modules/ngx_rtmp_module.so"),
    Path("/usr/share/nginx/modules/ngx_rtmp_module.so"),
)
# One process, so that its id is the server's. Each publication is recorded to a file of its own.
_CONFIG = """
load_module {module};
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log info;
events {{ worker_connections 256; }}
rtmp {{
    access_log off;
    server {{
        listen 127.0.0.1:{port};
        ping 5s;
        application live {{
            live on;
            record all;
            record_path {folder};
            record_unique on;
            record_suffix .flv;
        }}
        application closed {{
            live on;
            deny publish all;
        }}
    }}
}}
"""


class RtmpServer:
    """`live/<any key>` accepts and records, `closed/<any key>` refuses to be published to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    def url(self, key: str = "key", application: str = "live") -> str:
        """Where to publish to, and to play from."""
        return f"rtmp://127.0.0.1:{self.port}/{application}/{key}"

    def start(self) -> None:
        """Start, or start again on the same port; returns when it accepts."""
        module = next(path for path in _MODULES if path.exists())
        config = self.folder / "nginx.conf"
        config.write_text(_CONFIG.format(module=module, folder=self.folder, port=self.port))
        nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin")
        assert nginx, "nginx is missing: apt-get install nginx libnginx-mod-rtmp"
        self._process = subprocess.Popen(
            [nginx, "-p", self.folder, "-c", config],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._wait_until_it_listens()

    def kill(self) -> None:
        """`kill -9`; idempotent."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Stop reading and answering, with all connections open."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def recordings(self, key: str = "key") -> list[Path]:
        """One file per publication of `key`, oldest first."""
        return sorted(self.folder.glob(f"{key}-*.flv"))

    def log(self) -> str:
        """Everything the server has to say."""
        file = self.folder / "error.log"
        return file.read_text() if file.exists() else ""

    def _wait_until_it_listens(self) -> None:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            assert self._process is not None
            assert self._process.poll() is None, self.log()
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                # A server of another program has no other way to say that it listens.
                time.sleep(0.02)
            else:
                return
        raise AssertionError(self.log())


def free_port() -> int:
    """A port that nobody listened on a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
