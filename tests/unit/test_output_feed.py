"""How many seconds of programme wait in front of an output before it gives them up."""

from dataclasses import replace

import pytest

from bridge.broadcast.media.packets import SMALL, SOURCE
from bridge.broadcast.outputs.feed import packet_channel, packet_seconds
from tests import media


@pytest.mark.parametrize("pictures", [(SOURCE,), (SOURCE, SMALL)])
def test_two_seconds_are_two_seconds_however_many_pictures_there_are(pictures):
    channel = packet_channel(2.0, tracks=1 + len(pictures))
    waited = 0.0
    for packet in media.blank_programme(120):
        copies = pictures if packet.kind.value == "video" else (SOURCE,)
        for name in copies:
            channel.put(replace(packet, rendition=name))
        if channel.take_overflowed():
            break
        waited = max(waited, float(packet.time) + packet_seconds(packet))
    assert 1.9 < waited < 2.15
