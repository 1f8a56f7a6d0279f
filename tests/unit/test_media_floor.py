"""Who has the floor: 50 ms from one gain to the next, from wherever it was."""

import numpy as np
import pytest

from bridge.broadcast.media.floor import RAMP, Floor, FloorState


def test_an_open_floor_is_untouched():
    assert Floor().line(1_600) == 1.0


@pytest.mark.parametrize("tick", [48, 1_584, 1_632, 4_800])
@pytest.mark.parametrize(
    ("state", "gain"), [(FloorState.DUCKED, 10 ** (-15 / 20)), (FloorState.CLOSED, 0.0)]
)
def test_a_change_takes_50_ms_in_a_straight_line_however_it_is_cut(state, gain, tick):
    floor = Floor()
    floor.state = state
    gains = np.concatenate(
        [np.broadcast_to(floor.line(tick), tick) for _ in range(2 * RAMP // tick + 2)]
    )
    assert np.abs(np.diff(gains, prepend=1.0)).max() <= 1.01 * (1 - gain) / RAMP
    assert gains[RAMP // 2 - 1] == pytest.approx((1 + gain) / 2, abs=1e-4)
    np.testing.assert_allclose(gains[RAMP - 1 :], gain, atol=1e-6)
    assert floor.line(tick) == gain


def test_a_change_of_mind_goes_on_from_where_the_gain_is():
    floor = Floor()
    floor.state = FloorState.CLOSED
    first = np.asarray(floor.line(RAMP // 4))
    floor.state = FloorState.OPEN
    second = np.asarray(floor.line(RAMP))
    assert first[-1] == pytest.approx(0.75, abs=1e-3)
    assert second[0] == pytest.approx(0.75, abs=1e-3)
    assert second[-1] == pytest.approx(1.0, abs=1e-6)
