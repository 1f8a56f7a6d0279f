"""From a debater's first keyframe to the first canvas that shows him."""

import time
from collections.abc import Mapping
from threading import Event

import av

from bridge.aiortc_inside.media import VP8
from bridge.broadcast.media.artwork import Drawing
from bridge.broadcast.media.mixer import Mixer
from bridge.broadcast.media.programme import Programme
from bridge.broadcast.media.sources import SourceView, VideoSource
from bridge.broadcast.media.stage import Stage
from bridge.broadcast.rtc.playout_delay import PlayoutDelay
from bridge.broadcast.rtc.video_decoder import VideoDecoder
from bridge.clock import SystemClock
from tests.component.media_builders import SIDE_BY_SIDE, classic, settings
from tests.component.test_rtc_decoders import encode

MOST_SECONDS = 0.3
"""What the product promises; usual is one tick and ten milliseconds."""


class WatchedStage(Stage):
    """Notes when it has first composed a picture of anybody."""

    def __init__(self, opening: Drawing) -> None:
        super().__init__(opening)
        self.shown = Event()
        self.shown_at = 0.0

    def compose(self, views: Mapping[str, SourceView], now: float) -> av.VideoFrame:
        canvas = super().compose(views, now)
        if not self.shown.is_set() and any(view.picture is not None for view in views.values()):
            self.shown_at = time.monotonic()
            self.shown.set()
        return canvas


def test_the_first_picture_is_composed_within_three_tenths_of_its_keyframe():
    clock = SystemClock()
    camera = VideoSource("proposition")
    camera.expect()
    stage = WatchedStage(Drawing(SIDE_BY_SIDE, classic(640, 360), ()))
    programme = Programme(
        settings(640, 360), stage, Mixer([]), {"proposition": camera},
        clock=clock, sink=lambda _: None, on_failure=lambda _: None,
    )  # fmt: skip
    # The longest delay that a bad network may ask for: the first picture does not wait for it.
    decoder = VideoDecoder(
        "test", camera, clock=clock, delay=PlayoutDelay(1.0, 1.0), on_keyframe_needed=lambda: None
    )
    (keyframe,) = encode(VP8, (320, 180), 1)
    programme.start()
    decoder.start()
    try:
        arrived = clock.monotonic()
        decoder.feed(keyframe, arrived)
        assert stage.shown.wait(5)
        assert stage.shown_at - arrived <= MOST_SECONDS
    finally:
        decoder.stop()
        programme.stop()
        assert decoder.join(2)
