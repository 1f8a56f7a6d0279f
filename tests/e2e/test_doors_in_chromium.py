"""What a person is told at a door that does not open."""

import pytest
from playwright.async_api import async_playwright

from tests.e2e.browsers import chromium, make_devices


@pytest.fixture
async def devices(tmp_path):
    return await make_devices(tmp_path, "grey", "gray", 300)


def local(link: str) -> str:
    return link.replace("localhost", "127.0.0.1")


async def test_a_debater_without_a_camera_is_told_in_plain_words(bridge):
    room = await bridge.create()
    async with async_playwright() as playwright, chromium(playwright, None) as browser:
        page = await browser.new_page()
        await page.goto(local(room["links"]["proposition"]))
        await page.wait_for_function(
            "() => /camera|microphone/i.test(document.querySelector('#media-error').textContent)"
        )


async def test_a_third_debater_is_refused_and_the_seat_stays(bridge, devices):
    room = await bridge.create()
    invite = local(room["links"]["proposition"])
    async with async_playwright() as playwright, chromium(playwright, devices) as browser:
        # Two contexts share nothing, like two people who were sent the same link.
        first, second = [await (await browser.new_context()).new_page() for _ in range(2)]
        await first.goto(invite)
        await first.get_by_test_id("join").click()
        await first.wait_for_selector("main[data-state=stage]")
        await second.goto(invite)
        await second.get_by_test_id("join").click()
        await second.wait_for_function(
            "() => document.querySelector('#media-error').textContent"
            ".includes('Somebody sits here')"
        )
        assert await first.locator("main").get_attribute("data-state") == "stage"


async def test_links_that_lead_nowhere_say_so(bridge):
    room = await bridge.create()
    async with async_playwright() as playwright, chromium(playwright, None) as browser:
        page = await browser.new_page()
        answer = await page.goto(f"{bridge.url}/watch/nothere")
        assert answer
        assert answer.status == 404
        assert "no such debate" in await page.inner_text("main")
        await page.goto(f"{bridge.url}/host/{room['id']}#forged-token-of-somebody")
        await page.wait_for_function("() => /does not work/.test(document.body.innerText)")
        for name in ("..%2f..%2fbridge.sqlite3", "recording.json"):
            refused = await page.request.get(f"{bridge.url}/recordings/{room['id']}/{name}")
            assert refused.status == 404
