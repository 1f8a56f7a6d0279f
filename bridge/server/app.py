"""The composition root of the server: everything is made here, and ended here in order."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bridge.clock import Clock, SystemClock
from bridge.errors import SetupError, TokenError
from bridge.protocol.tokens import PassSigner, TokenSigner
from bridge.rooms.model import Phase, Role
from bridge.server.api import Api
from bridge.server.audience import AudienceViews
from bridge.server.broadcasts import COMMAND, Spares
from bridge.server.debates import Debates, canvas_config
from bridge.server.destination_routes import DestinationRoutes
from bridge.server.destinations import Destinations
from bridge.server.ice_servers import IceServers
from bridge.server.lan import Lan
from bridge.server.lane.lane import Lane
from bridge.server.limits import allow_sockets, forbid_core_files
from bridge.server.listening import Addresses, Connections, Listening
from bridge.server.origin.origin import Origin
from bridge.server.origin.routes import Routes
from bridge.server.origin.uploads import UploadViews
from bridge.server.pages import Pages, revalidate_static
from bridge.server.presence import Presence
from bridge.server.problems import add_safe_headers, error_middleware
from bridge.server.recordings.ffmpeg import find_ffmpeg
from bridge.server.recordings.library import RecordingLibrary
from bridge.server.recordings.offsite import Offsite, OffsiteAddress
from bridge.server.recordings.routes import RecordingRoutes
from bridge.server.secrets import InstallationKey, Vault
from bridge.server.signalling import Signalling
from bridge.server.store import Store
from bridge.server.terminal import greet, print_invites, shows_invites
from bridge.server.tls import Tls, open_tls
from bridge.server.trials import Trials
from bridge.settings import Settings, web_folder

logger = logging.getLogger(__name__)

_MAX_BODY: Final = 64 * 1024
_FINISH_SECONDS: Final = 20.0
"""For recordings at the server's end; what is not finished then is finished at the next start."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the server is made of."""

    debates: Debates
    origin: Origin
    lane: Lane
    recordings: RecordingLibrary
    presence: Presence
    signalling: Signalling
    signer: TokenSigner
    key: InstallationKey
    offsite: Offsite | None
    """None: finished recordings are not copied."""
    store: Store
    spares: Spares
    addresses: Addresses


PARTS: Final = web.AppKey("parts", Parts)


def create_app(
    settings: Settings,
    *,
    clock: Clock | None = None,
    command: Sequence[str] = COMMAND,
    warm: bool = False,
    tls: Tls | None = None,
) -> web.Application:
    """Put the server together. `command` starts a broadcast; `warm` keeps a spare one ready."""
    parts = _make_parts(settings, clock or SystemClock(), command, warm=warm)
    authority = tls.authority if tls else None
    pages = Pages(web_folder(), parts.debates, authority)
    viewers = AudienceViews(parts.debates.audience, clock or SystemClock(), parts.debates.find)
    app = web.Application(middlewares=[error_middleware(pages.error)], client_max_size=_MAX_BODY)
    app[PARTS] = parts
    api = Api(
        settings,
        debates=parts.debates,
        origin=parts.origin,
        lane=parts.lane,
        recordings=parts.recordings,
        signer=parts.signer,
        addresses=parts.addresses,
        print_invites=print_invites if shows_invites(settings) else None,
    )
    app.add_routes(api.routes())
    trials = Trials(canvas_config(settings), allow_private=settings.allow_private_destinations)
    destinations = Destinations(parts.debates, parts.store, trials)
    app.add_routes(DestinationRoutes(settings, destinations, parts.signer).routes())
    recorded = RecordingRoutes(
        parts.recordings, parts.signer, PassSigner(parts.key.derive("passes")), api.base
    )
    app.add_routes(recorded.routes())
    app.add_routes(viewers.routes())
    app.router.add_route("*", "/live/{rest:.*}", parts.lane.view)
    app.add_routes(UploadViews(parts.origin, _upload_check(parts)).routes())
    app.add_routes(pages.routes())
    parts.signalling.server.attach(app)
    app.on_response_prepare.append(add_safe_headers)
    app.on_response_prepare.append(revalidate_static)
    app.on_shutdown.append(_let_go)
    app.cleanup_ctx.append(_life)
    return app


async def serve(
    settings: Settings,
    *,
    on_ready: Callable[[Addresses], None] | None = None,
    resume: bool = True,
) -> None:
    """Serve until SIGTERM or SIGINT, then end broadcasts in order. `on_ready` gets the addresses.

    Debates on air stay so over a restart; without `resume` they are over with the server.
    """
    allow_sockets(settings.max_held_requests)
    forbid_core_files()
    tls = open_tls(settings, Lan.look(), SystemClock().wall())
    app = create_app(settings, warm=True, tls=tls)
    runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=3)
    await runner.setup()
    listening = Listening(connections(runner, app[PARTS].lane))
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    try:
        parts = app[PARTS]
        await listening.open(settings, tls, parts.addresses)
        parts.debates.server_url = parts.addresses.local
        if resume:
            await parts.debates.resume()
        else:
            await parts.debates.close_left()
        greet(parts.addresses.shown, tls, code=shows_invites(settings))
        if on_ready is not None:
            on_ready(parts.addresses)
        await stopping.wait()
        logger.info("ending")
        await _end_in_order(parts)
        if not resume:
            await parts.debates.close_left()
    finally:
        await listening.close()
        await runner.cleanup()


def connections(runner: web.AppRunner, lane: Lane) -> Connections:
    """Return what makes connections: the runner has their life, the lane what is its own."""
    server = runner.server
    assert server is not None  # noqa: S101 - the runner has been set up
    return partial(lane.connection, server)


async def _end_in_order(parts: Parts) -> None:
    """Broadcasts first, while their uploads and players are still served; then their files."""
    await parts.debates.end_all()
    with suppress(TimeoutError):
        await asyncio.wait_for(parts.recordings.wait_idle(), _FINISH_SECONDS)


def _make_parts(settings: Settings, clock: Clock, command: Sequence[str], *, warm: bool) -> Parts:
    folder = settings.data_dir
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        message = f"Cannot make the data folder {folder}: {error.strerror}. Choose another."
        raise SetupError(message) from None
    key = InstallationKey.load(folder)
    store = Store(folder / "bridge.sqlite3", Vault(key))
    signer = TokenSigner(key.derive("tokens"))
    presence = Presence()
    written_down = folder / "hls" if settings.dvr else None
    recordings = RecordingLibrary(
        folder / "programmes",
        ffmpeg=find_ffmpeg(settings.ffmpeg),
        clock=clock,
        key=Ed25519PrivateKey.from_private_bytes(key.derive("manifests")),
        retention_days=settings.retention_days,
    )
    origin = Origin(
        clock,
        listed=settings.window_segments,
        folder=written_down,
        withheld=recordings.withheld,
    )
    recordings.on_deleted = origin.delete
    offsite = _offsite(settings, recordings)
    lane = Lane(Routes(origin), max_held=settings.max_held_requests)
    spares = Spares(command, warm=warm)
    debates = Debates(
        settings,
        store=store,
        signer=signer,
        presence=presence,
        origin=origin,
        recordings=recordings,
        spares=spares,
        clock=clock,
    )
    signalling = Signalling(
        presence,
        signer,
        view=debates.view,
        admit=debates.admit,
        ice_servers=IceServers(settings, clock),
        public_url=str(settings.public_url) if settings.public_url else None,
        clock=clock,
    )
    debates.on_change = signalling.changed
    return Parts(
        debates=debates,
        origin=origin,
        lane=lane,
        recordings=recordings,
        presence=presence,
        signalling=signalling,
        signer=signer,
        key=key,
        offsite=offsite,
        store=store,
        spares=spares,
        addresses=Addresses(),
    )


def _offsite(settings: Settings, recordings: RecordingLibrary) -> Offsite | None:
    if settings.s3_bucket is None or not settings.s3_access_key or not settings.s3_secret_key:
        return None
    address = OffsiteAddress(
        bucket=settings.s3_bucket,
        prefix=settings.s3_prefix.strip("/"),
        endpoint=settings.s3_endpoint,
        region=settings.s3_region,
        access_key=settings.s3_access_key.get_secret_value(),
        secret_key=settings.s3_secret_key.get_secret_value(),
    )
    offsite = Offsite(address, files=recordings.paths, on_copied=recordings.note_copy)
    recordings.on_ready = offsite.put
    return offsite


def _upload_check(parts: Parts) -> Callable[[str, str], None]:
    def check(token: str, programme: str) -> None:
        grant = parts.signer.read(token)
        if grant.role is not Role.BROADCAST or not parts.debates.owns(grant.room, programme):
            message = "This token may not upload that programme."
            raise TokenError(message, code="token_role")

    return check


async def _let_go(app: web.Application) -> None:
    """Signal `on_shutdown`: end what holds connections open, or the server would wait for it."""
    parts = app[PARTS]
    parts.origin.close()
    await parts.lane.stop()
    await parts.signalling.stop()


async def _life(app: web.Application) -> AsyncIterator[None]:
    """Start what needs starting; end in the order in which things depend on each other."""
    parts = app[PARTS]
    await parts.store.start()
    live = await parts.store.in_phase(Phase.LIVE)
    await parts.recordings.start(on_air=[room.id for room in live])
    if parts.offsite is not None:
        parts.offsite.start()
    parts.origin.start()
    for room in live:
        await parts.origin.restore(room.id)
    parts.spares.start()
    yield
    await parts.debates.end_all()
    await parts.origin.stop()
    await parts.spares.stop()
    if parts.offsite is not None:
        await parts.offsite.stop()
    await parts.recordings.stop()
    await parts.store.stop()
