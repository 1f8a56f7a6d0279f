from bridge.broadcast.rtc.receive_bitrate import ReceiveBitrate

MOST = 2_500_000


def run(
    control: ReceiveBitrate, begin: float, seconds: float, rate: int, *, overusing: bool = False
) -> list[tuple[float, int]]:
    """Packets of 1000 bytes at `rate` bits per second."""
    reports = []
    for index in range(round(seconds * rate / 8000)):
        now = begin + index * 8000 / rate
        report = control.update(1000, now, overusing=overusing)
        if report is not None:
            reports.append((now, report))
    return reports


def test_the_whole_rate_is_allowed_at_once_and_repeated_while_it_counts() -> None:
    reports = run(ReceiveBitrate(MOST), 100.0, 3.0, 300_000)
    assert reports[0] == (100.0, MOST)
    assert len([at for at, _ in reports if at < 102]) >= 7
    assert {rate for _, rate in reports} == {MOST}


def test_little_traffic_is_no_reason_to_allow_less() -> None:
    control = ReceiveBitrate(MOST)
    run(control, 0.0, 60.0, 50_000)
    assert control.limit == MOST


def test_queueing_lowers_the_limit_below_what_arrives_and_growth_brings_it_back() -> None:
    control = ReceiveBitrate(MOST)
    run(control, 0.0, 5.0, 1_000_000)
    run(control, 5.0, 2.0, 1_000_000, overusing=True)
    assert 800_000 < control.limit < 900_000
    run(control, 7.0, 10.0, 800_000)
    assert control.limit == MOST


def test_one_false_alarm_costs_half_at_most() -> None:
    control = ReceiveBitrate(MOST)
    run(control, 0.0, 5.0, 100_000)
    assert control.update(1000, 5.1, overusing=True) == MOST // 2


def test_the_limit_never_starves_a_picture() -> None:
    control = ReceiveBitrate(MOST)
    run(control, 0.0, 60.0, 40_000, overusing=True)
    assert control.limit == 150_000


def test_a_smaller_tile_lowers_the_limit_at_once() -> None:
    control = ReceiveBitrate(MOST)
    run(control, 0.0, 1.0, 300_000)
    control.most = 800_000
    assert control.limit == 800_000
