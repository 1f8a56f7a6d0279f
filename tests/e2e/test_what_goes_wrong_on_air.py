"""Losses on air: nothing that happens to a debater or a process stops the programme."""

import asyncio
import re
import signal
from itertools import pairwise

from bridge.protocol.messages import IngestState
from bridge.rooms.model import Side
from tests.e2e.programme_probe import LEFT_TILE, RIGHT_TILE, decode, ffprobe, region, shape
from tests.e2e.stack import Bridge, HeadlessDebater, HostEye
from tests.helpers import until


async def start(bridge: Bridge, room: dict) -> None:
    await bridge.call("POST", f"/api/v1/rooms/{room['id']}/start", token=room["host_token"])


async def playlist(bridge: Bridge, room: dict) -> str:
    """Text of the media playlist, empty while there is none."""
    return (await bridge.fetch(f"/live/{room['id']}/source.m3u8", absent_is_empty=True)).decode()


async def segments(bridge: Bridge, room: dict) -> int:
    """Number of the newest published segment, counted from any fixed start."""
    text = await playlist(bridge, room)
    first = re.search(r"#EXT-X-MEDIA-SEQUENCE:(\d+)", text)
    return int(first[1]) + text.count("#EXTINF") if first else 0


async def on_air(bridge: Bridge, room: dict) -> None:
    """Wait until some segments have been published."""
    before = await until(lambda: segments(bridge, room), "the programme has begun")
    await until(lambda: _grown(bridge, room, before + 3), "three segments more")


async def save_last_segment(bridge: Bridge, room: dict, target) -> None:
    text = await playlist(bridge, room)
    base = f"/live/{room['id']}/"
    init = re.findall(r'#EXT-X-MAP:URI="([^"]+)"', text)[-1]
    media = re.findall(r"^[^#\n]+\.m4s$", text, re.MULTILINE)[-1]
    target.write_bytes(await bridge.fetch(base + init) + await bridge.fetch(base + media))


async def test_a_debater_who_leaves_becomes_a_placeholder_at_30_fps(bridge, tmp_path):
    room = await bridge.create()
    await start(bridge, room)
    async with (
        HostEye(room["links"]["host"]) as eye,
        HeadlessDebater(room["links"]["proposition"]),
    ):
        async with HeadlessDebater(room["links"]["opposition"]):
            await until(
                lambda: {eye.ingest(side) for side in Side} == {IngestState.RECEIVING},
                "both debaters are received",
            )
            # They may be received before the first part is there to be played.
            before = await until(lambda: segments(bridge, room), "the programme has begun")
            await until(lambda: _grown(bridge, room, before + 2), "two more segments")
            await save_last_segment(bridge, room, tmp_path / "both.mp4")
        await until(
            lambda: eye.ingest(Side.OPPOSITION) is IngestState.ABSENT, "the opposition is gone"
        )
        before = await segments(bridge, room)
        await until(lambda: _grown(bridge, room, before + 2), "two more segments")
        await save_last_segment(bridge, room, tmp_path / "one.mp4")
    both, one = decode(tmp_path / "both.mp4"), decode(tmp_path / "one.mp4")
    for segment in (both, one):
        # On the grid, and never a break. That no tick at all is skipped depends on who else uses
        # the machine; `make bench` keeps that figure.
        steps = [(b - a) * 30 for a, b in pairwise(segment.times)]
        assert all(abs(step - round(step)) < 0.01 for step in steps)
        assert max(steps) < 4.5
        assert len(segment.pictures) >= 56
    left = [region(item.pictures[30], LEFT_TILE) for item in (both, one)]
    right = [region(item.pictures[30], RIGHT_TILE) for item in (both, one)]
    assert abs(left[0] - left[1]).max() < 40, "who stayed is still there"
    assert abs(right[0] - right[1]).max() > 15, "who left became a placeholder"


async def test_a_killed_broadcast_is_replaced_behind_a_discontinuity(bridge, tmp_path):
    room = await bridge.create()
    async with (
        HostEye(room["links"]["host"]) as eye,
        HeadlessDebater(room["links"]["proposition"]),
    ):
        await start(bridge, room)
        await until(
            lambda: eye.ingest(Side.PROPOSITION) is IngestState.RECEIVING, "the debater is received"
        )
        await on_air(bridge, room)
        bridge.busiest_broadcast().kill()
        await until(lambda: _has(bridge, room, "#EXT-X-DISCONTINUITY\n"), "a discontinuity")
        await until(
            lambda: eye.ingest(Side.PROPOSITION) is IngestState.RECEIVING, "he is received again"
        )
        before = await segments(bridge, room)
        await until(lambda: _grown(bridge, room, before + 2), "segments of the new broadcast")
        assert eye.host.restarts == 1
    await bridge.call("POST", f"/api/v1/rooms/{room['id']}/stop", token=room["host_token"])
    recording = await until(lambda: finished(bridge), "the recording is finished", seconds=60)
    target = tmp_path / "joined.mp4"
    target.write_bytes(await bridge.fetch(recording["files"][0]["url"]))
    kept = shape(await ffprobe(target))
    assert kept.seconds > 8
    assert abs(kept.seconds - recording["duration"]) < 0.2
    decode(target)


async def test_sigterm_ends_with_endlist_and_a_finished_file(bridge):
    room = await bridge.create()
    async with HeadlessDebater(room["links"]["proposition"]):
        await start(bridge, room)
        await on_air(bridge, room)
        last = asyncio.create_task(_last_playlist(bridge, room))
        code = await bridge.stop(signal.SIGTERM)
        assert "#EXT-X-ENDLIST" in await last
    assert code == 0
    assert "KILLED: did not end by itself" not in bridge.log
    files = list((bridge.data / "programmes").glob("*/programme.mp4"))
    assert len(files) == 1
    assert shape(await ffprobe(files[0])).seconds > 3
    secrets = (room["host_token"], room["links"]["proposition"].partition("#")[2])
    assert not [line for line in bridge.log for secret in secrets if secret in line]


async def _last_playlist(bridge: Bridge, room: dict) -> str:
    """Follow the blocking playlist like a player until the server has gone."""
    text = ""
    while "#EXT-X-ENDLIST" not in text:
        try:
            text = await playlist(bridge, room)
        except OSError:
            break
        await asyncio.sleep(0.02)
    return text


async def _grown(bridge: Bridge, room: dict, count: int) -> bool:
    return await segments(bridge, room) >= count


async def _has(bridge: Bridge, room: dict, tag: str) -> bool:
    return tag in await playlist(bridge, room)


async def finished(bridge: Bridge) -> dict | None:
    found = await bridge.call("GET", "/api/v1/recordings")
    return found[0] if found and found[0]["state"] == "ready" else None
