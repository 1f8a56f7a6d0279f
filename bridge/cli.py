"""The `debate-bridge` command."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
import uvloop
from pydantic import ValidationError

from bridge import __version__
from bridge.demo import run_demo
from bridge.doctor import examine
from bridge.errors import BridgeError, InputError, SettingsError
from bridge.log import Redactor, set_up
from bridge.server.app import serve as serve_forever
from bridge.server.recordings.verify import verify as check_recording
from bridge.settings import Settings

cli = typer.Typer(
    help="A live debate: two browsers peer to peer, one programme on HLS, RTMP and disk.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

themes = typer.Typer(help="Looks of the programme.", no_args_is_help=True)
cli.add_typer(themes, name="theme")

Host = Annotated[str | None, typer.Option(help="Address to listen on.")]
Port = Annotated[int | None, typer.Option(help="Port to listen on; 0 lets the system choose.")]
DataDir = Annotated[Path | None, typer.Option(help="Rooms, secrets and recordings.")]
PublicUrl = Annotated[str | None, typer.Option(help="What people type to get here.")]
TlsOption = Annotated[
    str | None,
    typer.Option(
        "--tls",
        metavar="self-signed|CERT KEY",
        help="HTTPS: with an authority made here, or with a certificate and its key.",
    ),
]
TlsKey = Annotated[Path | None, typer.Argument(metavar="KEY", help="Only after --tls CERT.")]
ShowInvites = Annotated[
    bool | None, typer.Option(help="Print links and QR codes of each new debate.")
]


def _settings(**options: Any) -> Settings:
    given = {name: value for name, value in options.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        for item in error.errors():
            name = ".".join(map(str, item["loc"])) or "settings"
            typer.echo(f"{name}: {item['msg'].removeprefix('Value error, ')}", err=True)
        raise typer.Exit(2) from None


def _become(module: str, order: dict[str, str | None]) -> NoReturn:
    """Go on as another role of ours, in this same process.

    What the role is told may be secret, so it comes on standard input, not in argv. The order is
    far smaller than a pipe's buffer (64 KiB), so nobody needs to read while we write.
    """
    reader, writer = os.pipe()
    os.write(writer, json.dumps(order).encode() + b"\n")
    os.close(writer)
    os.dup2(reader, sys.stdin.fileno())
    os.execv(sys.executable, [sys.executable, "-m", module])  # noqa: S606 - our own interpreter


@cli.command()
def serve(
    tls_key: TlsKey = None,
    *,
    host: Host = None,
    port: Port = None,
    data_dir: DataDir = None,
    public_url: PublicUrl = None,
    tls: TlsOption = None,
    show_invites: ShowInvites = None,
) -> None:
    """Serve pages, signalling, HLS and recordings until stopped."""
    settings = _settings(
        host=host,
        port=port,
        data_dir=data_dir,
        public_url=public_url,
        tls=tls,
        tls_key=tls_key,
        show_invites=show_invites,
    )
    set_up(settings.log_level, Redactor(settings.secrets))
    uvloop.run(serve_forever(settings))


@cli.command()
def demo(
    tls_key: TlsKey = None,
    *,
    port: Port = None,
    data_dir: DataDir = None,
    tls: TlsOption = None,
    show_invites: ShowInvites = None,
) -> None:
    """Serve, and put one debate between two drawn debaters on air."""
    settings = _settings(
        port=port, data_dir=data_dir, tls=tls, tls_key=tls_key, show_invites=show_invites
    )
    set_up(settings.log_level, Redactor(settings.secrets))
    uvloop.run(run_demo(settings))


@cli.command()
def debater(
    invite_url: Annotated[str, typer.Argument(help="The private link of one side.")],
    media: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Film to show, looped.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name drawn into the picture.")] = None,
) -> None:
    """Take a seat without a browser: a drawn debater, or a film."""
    order = {"invite": invite_url, "media": str(media) if media else None, "name": name}
    _become("bridge.debater", order)


@cli.command()
def doctor() -> None:
    """Look whether this machine has what the bridge needs, and say what to do."""
    checks = examine(_settings())
    for check in checks:
        typer.echo(f"{'ok  ' if check.ok else 'FAIL'} {check.name}: {check.found}")
        if not check.ok:
            typer.echo(f"     {check.remedy}")
    raise typer.Exit(0 if all(check.ok for check in checks) else 1)


@cli.command()
def verify(
    file: Annotated[Path, typer.Argument(help="A finished recording, or one of its tracks.")],
    manifest: Annotated[
        Path | None, typer.Option(help="Default: manifest.json beside the file.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(help="Fingerprint of the key that must have signed.")
    ] = None,
) -> None:
    """Say whether a recording is what it was when it was made. Exits with 1 when it is not."""
    finding = check_recording(file, manifest, key)
    typer.echo(f"{file}: {finding.words}")
    compared = "" if key else "; whose key that is was not checked: see --key"
    typer.echo(f"signed by {finding.signer}{compared}")
    raise typer.Exit(0 if finding.unaltered else 1)


@themes.callback()
def _themes() -> None:
    """Let `theme` stay a group although it has one command only."""


@themes.command()
def preview(
    name: Annotated[str, typer.Argument(help="Folder under web/themes, or a path to one.")],
    output: Annotated[Path, typer.Option(help="PNG to write.")] = Path("theme.png"),
) -> None:
    """Check a theme and draw all its scenes into one PNG."""
    folder = Path(name)
    theme = str(folder.resolve()) if (folder / "theme.toml").is_file() else name
    _become("bridge.broadcast.theme_preview", {"theme": theme, "output": str(output.resolve())})


@cli.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def main() -> None:
    """Run the command line; an error of ours is one line, not a traceback."""
    try:
        cli()
    except BridgeError as error:
        typer.echo(f"debate-bridge: {error.message}", err=True)
        sys.exit(2 if isinstance(error, (SettingsError, InputError)) else 1)
