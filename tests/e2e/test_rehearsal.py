"""Testing the picture: the host sees the programme, nobody else does."""

import aiohttp

from bridge.protocol.messages import OutputState
from bridge.rooms.model import Phase
from tests.e2e.stack import HostEye
from tests.helpers import until


async def test_a_rehearsal_is_seen_by_the_host_alone_and_then_goes_live(bridge):
    room = await bridge.create("rtmp://127.0.0.1:1/live/a-secret-key")
    api, token = f"/api/v1/rooms/{room['id']}", room["host_token"]
    async with HostEye(room["links"]["host"]) as eye:
        await bridge.call("POST", f"{api}/rehearse", token=token)
        preview = await until(lambda: eye.room and eye.host.preview_url, "the preview is there")
        assert b"#EXT-X-STREAM-INF" in await bridge.fetch(preview)
        assert not await bridge.fetch(f"/live/{room['id']}/index.m3u8", absent_is_empty=True)
        assert (await bridge.call("GET", api))["hls"] is None
        assert await bridge.call("GET", "/api/v1/recordings") == []

        await bridge.call("POST", f"{api}/start", token=token)
        await until(
            lambda: eye.room and eye.room.phase is Phase.LIVE and eye.host.preview_url,
            "it is on air",
        )
        assert await bridge.fetch(f"/live/{room['id']}/index.m3u8")
        await until(
            lambda: eye.host.destinations[0].report.state is OutputState.RETRYING,
            "an address where nobody listens is tried again",
        )
        assert "a-secret-key" not in eye.host.model_dump_json()
        await bridge.call("POST", f"{api}/start", token=token, expect=409)
        await bridge.call("POST", f"{api}/stop", token="forged", expect=401)
        await bridge.call("POST", f"{api}/stop", token=token)
    assert not [line for line in bridge.log if "a-secret-key" in line]

    recording = await until(lambda: _ready(bridge), "the recording is finished", seconds=60)
    async with (
        aiohttp.ClientSession(headers={"Range": "bytes=0-99"}) as http,
        http.get(recording["files"][0]["url"]) as answer,
    ):
        assert answer.status == 206
        assert len(await answer.read()) == 100


async def _ready(bridge) -> dict | None:
    found = await bridge.call("GET", "/api/v1/recordings")
    return found[0] if found and found[0]["state"] == "ready" else None
