"""Request heads: what the lane understands, and what it refuses."""

import pytest

from bridge.server.lane.head import MalformedError, begins, parse


def head(*lines: str) -> bytes:
    return "\r\n".join(lines).encode("latin-1")


def test_a_players_request():
    found = parse(
        head(
            "GET /live/room/source.m3u8?_HLS_msn=7&_HLS_part=2 HTTP/1.1",
            "Host: x",
            "accept-encoding: br;q=1.0, gzip;q=0.8",
            'If-None-Match: W/"a.1", "b"',
        )
    )
    assert found.keeps_alive
    assert found.asked.path == "/live/room/source.m3u8"
    assert found.asked.query == "_HLS_msn=7&_HLS_part=2"
    assert found.asked.takes_gzip
    assert found.asked.etags == {"a.1", "b"}


@pytest.mark.parametrize(
    ("line", "field", "keeps"),
    [
        ("GET /live/x HTTP/1.1", "Connection: keep-alive", True),
        ("GET /live/x HTTP/1.1", "Connection: Upgrade, Close", False),
        ("GET /live/x HTTP/1.0", "Host: x", False),
        ("GET /live/x HTTP/1.0", "connection: Keep-Alive", True),
    ],
)
def test_how_long_a_connection_lives(line, field, keeps):
    assert parse(head(line, field)).keeps_alive is keeps


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (["GET /live/x"], 400),
        (["GET  /live/x HTTP/1.1"], 400),
        (["GET /live/x HTTP/2.0"], 400),
        (["GET /live/\xe9 HTTP/1.1"], 400),
        (["GET /live/x HTTP/1.1", " folded"], 400),
        (["GET /live/x HTTP/1.1", "Host : x"], 400),
        (["GET /live/x HTTP/1.1", "no colon"], 400),
        (["GET /live/x HTTP/1.1", "Bad: \0"], 400),
        (["DELETE /live/x HTTP/1.1"], 405),
        (["GET /live/x HTTP/1.1", "Content-Length: 5"], 413),
        (["GET /live/x HTTP/1.1", "Transfer-Encoding: chunked"], 413),
        (["GET /live/x HTTP/1.1", "Content-Length: 0", "content-length: 3"], 413),
    ],
)
def test_what_is_refused(lines, status):
    with pytest.raises(MalformedError) as refusal:
        parse(head(*lines))
    assert refusal.value.status == status


def test_what_is_for_the_lane():
    for mine in (b"GET /live/", b"HEAD /live/x", b"OPTIONS /live/x HTTP/1.1\r\n"):
        assert begins(mine)
    for other in (b"", b"GET /", b"GET /lively", b"get /live/x", b"GET /api?x= /live/", b"\r\nGET"):
        assert not begins(other)
