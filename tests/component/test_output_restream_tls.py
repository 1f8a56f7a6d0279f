"""RTMPS: a server that cannot prove its name gets neither programme nor key."""

import asyncio
import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bridge.broadcast.outputs.connection import Connection, Target
from bridge.broadcast.outputs.gop_queue import GopQueue
from bridge.broadcast.outputs.liveness import Ended, Liveness
from bridge.clock import SystemClock
from tests import media
from tests.rtmp_server import RtmpServer


def certificate_for(folder: Path, name: str) -> Path:
    """Key and self-signed certificate for a host name, in one PEM file."""
    return _certificate(folder, x509.DNSName(name))


def _certificate(folder: Path, name: x509.GeneralName) -> Path:
    """Key and self-signed certificate for one name, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([name]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{name.value}.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return file


@asynccontextmanager
async def _tls_in_front_of(server: RtmpServer, certificate: Path) -> AsyncIterator[int]:
    """Terminate TLS and pass the bytes on; yields the port."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except (ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back = await asyncio.open_connection("127.0.0.1", server.port)
        await asyncio.gather(pump(reader, back[1]), pump(back[0], writer))

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    proxy = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with proxy:
        yield proxy.sockets[0].getsockname()[1]


async def _publish(
    port: int, roots: Path, until: Callable[[Connection], bool], host: str = "127.0.0.1"
) -> Ended:
    parameters, packets = media.encode_programme(40)
    queue = GopQueue()
    target = Target(url=f"rtmps://{host}:{port}/live/key", allow_private=True, roots=roots)

    def progressed(connection: Connection) -> None:
        if until(connection):
            connection.finish()

    connection = Connection(target, parameters, queue, SystemClock(), progressed)

    async def feed() -> None:
        for packet in packets:
            queue.put(packet)
            connection.wake()
            await asyncio.sleep(packet.duration / 90_000 / 2)

    queue.connect()
    feeding = asyncio.create_task(feed())
    try:
        async with asyncio.timeout(15):
            return await connection.run()
    finally:
        feeding.cancel()
        await asyncio.gather(feeding, return_exceptions=True)


_HERE = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))


async def test_a_server_with_a_trusted_certificate_gets_the_programme(tmp_path: Path) -> None:
    certificate = _certificate(tmp_path, _HERE)
    with RtmpServer(tmp_path) as server:
        async with _tls_in_front_of(server, certificate) as port:
            ended = await _publish(port, certificate, lambda c: c.liveness is Liveness.PUBLISHING)
        assert ended.liveness is Liveness.PUBLISHING
        assert len(server.recordings()) == 1


async def test_a_name_is_proved_though_its_address_is_connected_to(tmp_path: Path) -> None:
    certificate = _certificate(tmp_path, x509.DNSName("localhost"))
    with RtmpServer(tmp_path) as server:
        async with _tls_in_front_of(server, certificate) as port:
            ended = await _publish(
                port, certificate, lambda c: c.liveness is Liveness.PUBLISHING, "localhost"
            )
        assert ended.liveness is Liveness.PUBLISHING
        assert len(server.recordings()) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("name", [_HERE, x509.DNSName("elsewhere.example")])
async def test_a_server_that_is_not_who_it_says_gets_nothing(
    tmp_path: Path, name: x509.GeneralName, host: str
) -> None:
    certificate = _certificate(tmp_path, name)
    machine = Path("/etc/ssl/certs/ca-certificates.crt")
    roots = machine if name is _HERE else certificate
    with RtmpServer(tmp_path) as server:
        async with _tls_in_front_of(server, certificate) as port:
            ended = await _publish(port, roots, lambda _: False, host)
        assert not ended.accepted
        assert ended.errno
        assert server.recordings() == []
