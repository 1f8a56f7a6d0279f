"""The gallery with a real artist: what is on air as scenes are chosen, and when drawing fails."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bridge.broadcast.gallery import Gallery, Sources
from bridge.broadcast.media.artwork import Drawing
from bridge.broadcast.media.frames import view_planes
from bridge.broadcast.media.scene import SceneKey, SceneName
from bridge.broadcast.media.sources import VideoSource
from bridge.broadcast.media.stage import Shot, Stage
from bridge.broadcast.media.studio_order import Commission
from bridge.clock import SystemClock
from bridge.protocol.show import SceneChoice
from bridge.rooms.model import Side
from bridge.settings import web_folder
from tests.component.media_builders import CAPTION, GREY, SIDE_BY_SIDE, plain, write_theme
from tests.helpers import until

SIDES = [side.value for side in Side]
CLASSIC = Commission(theme="classic", web=web_folder(), width=640, height=360)
TILES = "".join(
    f'<rect data-tile="{side}" x="{160 * n}" y="0" width="160" height="90"/>'
    for n, side in enumerate(SIDES)
)


class Rig:
    """A gallery, what it showed, and every drawing that it put on the stage."""

    def __init__(self, commission: Commission) -> None:
        self.clock = SystemClock()
        self.shots: list[Shot] = []
        self.put: list[tuple[float, float, Drawing]] = []
        """When, for when, and what."""
        self.screens = {side: VideoSource(f"{side}-screen") for side in SIDES}
        self.gallery = Gallery(
            commission, CAPTION, sides=SIDES, clock=self.clock, on_shot=self.shots.append
        )

    @asynccontextmanager
    async def on_air(self) -> AsyncIterator[Stage]:
        stage = await self.gallery.open()
        put = stage.put

        def noted(drawing: Drawing, at: float = 0.0) -> None:
            self.put.append((self.clock.monotonic(), at, drawing))
            put(drawing, at)

        stage.put = noted  # type: ignore[method-assign] # to see when drawings come
        self.begin = self.clock.monotonic()
        sources = Sources(screens=self.screens, levels=dict)
        running = asyncio.create_task(self.gallery.run(sources, self.begin))
        try:
            yield stage
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await self.gallery.close()

    @property
    def key(self) -> SceneKey:
        return self.shots[-1].key


def own_theme(tmp_path: Path, drawing: str, **scenes: str) -> Commission:
    """A theme beside the classic one; its further scenes by name."""
    web = tmp_path / "web"
    own = web / "themes" / "own"
    own.mkdir(parents=True)
    (web / "fonts").symlink_to(web_folder() / "fonts")
    (web / "themes" / "classic").symlink_to(web_folder() / "themes" / "classic")
    write_theme(own, drawing)
    for name, text in scenes.items():
        (own / f"{name}.svg").write_text(text, "utf-8")
    return Commission(theme="own", web=web, width=320, height=180)


async def test_each_face_of_the_clock_is_there_before_the_tick_that_shows_it():
    rig = Rig(CLASSIC)
    async with rig.on_air() as stage:
        await until(lambda: sum(at > rig.begin + 0.9 for _, at, _ in rig.put) >= 2, "two faces")
        faces = [entry for entry in rig.put if entry[1] > rig.begin + 0.9 and entry[0] < entry[1]]
        assert faces, "drawn ahead"
        for _, at, drawing in faces:
            assert abs((at - rig.begin) - round(at - rig.begin)) < 0.001, "on a full second"
            assert drawing.key == SIDE_BY_SIDE
            assert drawing.live
        before, after = (
            view_planes(stage.compose({}, faces[-1][1] + moment))[0] for moment in (-0.001, 0.0)
        )
        assert (before != after).any()


async def test_the_host_and_shared_screens_decide_and_every_shot_is_told():
    rig = Rig(CLASSIC)
    async with rig.on_air():
        assert rig.key == SIDE_BY_SIDE
        rig.gallery.choose(SceneChoice(scene="title", note="Soon"))
        await until(lambda: rig.key.name is SceneName.TITLE, "the title card")
        assert rig.shots[-1].sizes == {}, "nobody is seen, so nobody need send much"
        rig.gallery.choose(SceneChoice())
        screen = rig.screens["opposition"]
        screen.expect()
        screen.put(plain(GREY), rig.clock.monotonic())
        await until(lambda: rig.key == SceneKey(SceneName.SCREEN, "opposition"), "the screen")
        assert "opposition-screen" in rig.shots[-1].sizes


async def test_a_theme_that_cannot_begin_is_replaced_by_the_classic_one(tmp_path, caplog):
    rig = Rig(own_theme(tmp_path, TILES + "{{ nobody }}"))
    with caplog.at_level(logging.WARNING):
        async with rig.on_air() as stage:
            assert stage.size == (320, 180)
            assert set(stage.shot.sizes) == set(SIDES)
    assert "'nobody' is undefined; classic instead" in caplog.text


async def test_a_scene_that_cannot_be_drawn_leaves_what_is_on_air(tmp_path, caplog):
    rig = Rig(own_theme(tmp_path, TILES, speaker="<svg>{{ nobody }}</svg>"))
    with caplog.at_level(logging.WARNING):
        async with rig.on_air():
            rig.gallery.choose(SceneChoice(scene="speaker", side=Side.OPPOSITION))
            await until(lambda: "speaker.svg" in caplog.text, "it is logged")
            rig.gallery.choose(SceneChoice(scene="break"))
            await until(lambda: rig.key.name is SceneName.BREAK, "another one can be shown")
    assert SceneName.SPEAKER not in {shot.key.name for shot in rig.shots}
