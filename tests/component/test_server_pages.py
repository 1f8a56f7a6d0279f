"""Pages for people, and what they are made of."""

import aiohttp
import pytest

from bridge.settings import web_folder
from tests.server import DEBATE, Server, stand_in

PERSON = {"Accept": "text/html,application/xhtml+xml"}


@pytest.fixture
async def server(tmp_path):
    async with Server(tmp_path / "data", stand_in(tmp_path / "notes")) as made:
        yield made


@pytest.fixture
async def get(server):
    async with aiohttp.ClientSession() as http:

        async def fetch(path: str, **headers: str):
            url = server.url + path
            async with http.get(url, headers={**PERSON, **headers}) as answer:
                return answer, await answer.text()

        yield fetch


@pytest.mark.parametrize("lang", ["en", "fr"])
async def test_every_page_is_drawn_in_both_languages(server, get, lang):
    room = await server.parts.debates.create(**DEBATE, destinations=())
    pages = {"/": "create", "/recordings": "recordings"}
    pages |= {f"/{page}/{room.id}": page for page in ("host", "debate", "watch")}
    for path, page in pages.items():
        answer, text = await get(f"{path}?lang={lang}")
        assert (answer.status, answer.content_type) == (200, "text/html")
        assert f'<html lang="{lang}"' in text
        assert f'data-page="{page}"' in text
        assert "<script>" not in text
        assert "style=" not in text


async def test_what_people_type_is_escaped(server, get):
    debate = {**DEBATE, "motion": "<script>alert(1)</script>", "proposition": '"><u>x'}
    room = await server.parts.debates.create(**debate, destinations=())
    for page in ("host", "debate", "watch"):
        _, text = await get(f"/{page}/{room.id}")
        assert "<script>alert" not in text
        assert '"><u>x' not in text


@pytest.mark.parametrize("page", ["host", "debate", "watch"])
async def test_an_unknown_debate_is_a_page_in_words_for_people(get, page):
    answer, text = await get(f"/{page}/nosuchroom")
    assert (answer.status, answer.content_type) == (404, "text/html")
    assert "There is no such debate. Check the link." in text


async def test_a_program_gets_json_where_a_person_gets_a_page(get):
    answer, _ = await get("/nowhere")
    assert (answer.status, answer.content_type) == (404, "text/html")
    answer, _ = await get("/nowhere", Accept="application/json")
    assert (answer.status, answer.content_type) == (404, "application/problem+json")
    answer, _ = await get("/api/v1/rooms/nosuchroom")
    assert answer.content_type == "application/problem+json"


async def test_scripts_and_styles_are_asked_for_anew_and_not_sent_again(get):
    answer, _ = await get("/static/css/tokens.css")
    assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-cache")
    again, _ = await get("/static/css/tokens.css", **{"If-None-Match": answer.headers["ETag"]})
    assert again.status == 304
    font, _ = await get("/fonts/LICENSE.txt")
    assert font.status == 200


@pytest.mark.parametrize(
    "path",
    ["/static/", "/static/css/", "/static/../templates/base.html", "/static/%2e%2e/package.json",
     "/static/..%2f..%2fpyproject.toml", "/fonts/", "/i18n/de.json", "/i18n/..%2fpackage.json"],
)  # fmt: skip
async def test_nothing_else_of_the_disk_is_served(get, path):
    answer, text = await get(path)
    assert answer.status in {403, 404}
    assert "{%" not in text


async def test_a_symbolic_link_in_the_static_folder_is_not_followed(get, tmp_path):
    link = web_folder() / "static" / "test-link.txt"
    (tmp_path / "outside.txt").write_text("outside")
    link.symlink_to(tmp_path / "outside.txt")
    try:
        answer, text = await get("/static/test-link.txt")
    finally:
        link.unlink()
    assert answer.status in {403, 404}
    assert "outside" not in text


async def test_the_words_of_the_interface(get):
    for lang in ("en", "fr"):
        answer, text = await get(f"/i18n/{lang}.json")
        assert answer.content_type == "application/json"
        assert '"site.name"' in text
    answer, _ = await get("/favicon.ico")
    assert answer.content_type == "image/svg+xml"
