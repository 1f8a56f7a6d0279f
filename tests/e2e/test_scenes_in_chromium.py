"""The host goes from scene to scene by clicks; what viewers get is decoded."""

from playwright.async_api import async_playwright

from bridge.rooms.model import Side
from tests.e2e.browsers import chromium, make_devices
from tests.e2e.test_on_air_in_chromium import take_seat
from tests.e2e.test_screen_share_in_chromium import BLUE, RED, Viewer, begun
from tests.helpers import until

LEFT, RIGHT = (0.1, 0.4, 0.4, 0.7), (0.6, 0.4, 0.9, 0.7)
LARGE, SMALL = (0.1, 0.3, 0.6, 0.7), (0.77, 0.15, 0.97, 0.35)
WHOLE = (0.1, 0.3, 0.6, 0.8)


async def test_the_host_changes_the_scene_live(bridge, tmp_path, artefacts):
    red = await make_devices(tmp_path, "red", "0xc01818", 440)
    blue = await make_devices(tmp_path, "blue", "0x1818c0", 660)
    room = await bridge.create()
    viewer = Viewer(bridge, room["id"], artefacts)
    async with (
        async_playwright() as playwright,
        chromium(playwright, red) as left_browser,
        chromium(playwright, blue) as right_browser,
        chromium(playwright, None) as host_browser,
    ):
        left, right = await left_browser.new_page(), await right_browser.new_page()
        host = await host_browser.new_page()
        await take_seat(left, room["links"]["proposition"])
        await take_seat(right, room["links"]["opposition"])
        await bridge.call("POST", f"/api/v1/rooms/{room['id']}/start", token=room["host_token"])
        await until(lambda: begun(bridge, room), "the programme has begun")
        await host.goto(room["links"]["host"])
        await viewer.sees((LEFT, RED), (RIGHT, BLUE), what="both side by side")

        await host.get_by_test_id("scene-side").select_option(Side.OPPOSITION.value)
        await host.get_by_test_id("scene-speaker").click()
        await viewer.sees((LARGE, BLUE), (SMALL, RED), what="the opposition large")
        await host.get_by_test_id("scene-side").select_option(Side.PROPOSITION.value)
        await viewer.sees((LARGE, RED), (SMALL, BLUE), what="the proposition large")
        await host.get_by_test_id("scene-cut").check()
        await host.get_by_test_id("scene-picture_in_picture").click()
        await viewer.sees((WHOLE, RED), (SMALL, BLUE), what="one over the other")
        await host.get_by_text("On air: Picture in picture, Ada Lovelace").wait_for()

        await host.get_by_test_id("scene-note").fill("Back at nine")
        await host.get_by_test_id("scene-break").click()
        await viewer.sees((LEFT, None), (RIGHT, None), what="the break")
        await host.reload()
        await host.locator("[data-testid=scene-break][aria-pressed=true]").wait_for()
        assert await host.get_by_test_id("scene-note").input_value() == "Back at nine"
        await host.get_by_test_id("scene-auto").click()
        await viewer.sees((LEFT, RED), (RIGHT, BLUE), what="both again")
        await host.screenshot(path=artefacts / "host-scenes.png", full_page=True)
