"""What a debater is let send, by what is shown of him."""

from bridge.broadcast.rtc.needed_bit_rate import needed_bit_rate


def test_the_whole_canvas_is_worth_the_full_rate_and_no_more():
    assert needed_bit_rate([(1280, 720)]) == needed_bit_rate([(1920, 1080)])
    assert 2_500_000 < needed_bit_rate([(1280, 720)]) < 3_200_000


def test_half_the_canvas_is_worth_more_than_half():
    half = needed_bit_rate([(616, 464)])
    assert 1_300_000 < half < 1_800_000


def test_a_small_tile_still_gets_a_face_and_who_is_not_shown_his_voice():
    assert 400_000 < needed_bit_rate([(240, 180)]) < 700_000
    assert needed_bit_rate([]) == needed_bit_rate([(2, 2)])


def test_what_is_not_shown_costs_little():
    shown, both = needed_bit_rate([(616, 464)]), needed_bit_rate([(616, 464)], hidden=1)
    assert shown < both < shown + 200_000


def test_a_shared_screen_comes_on_top():
    camera, both = needed_bit_rate([(300, 200)]), needed_bit_rate([(300, 200), (900, 600)])
    assert both > camera + 1_500_000
