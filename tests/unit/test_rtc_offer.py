import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.broadcast.rtc.offer import check_offer, hint_bit_rate, usable_candidate
from bridge.errors import InputError

SESSION = (
    "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=fingerprint:sha-256 00:11\r\n"
    "a=group:BUNDLE 0 1\r\n"
)
WITH_SCREEN = SESSION.replace("BUNDLE 0 1", "BUNDLE 0 1 2")
AUDIO = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n"
VIDEO = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\na=ssrc:11 cname:x\r\n"
SCREEN = VIDEO.replace("mid:1", "mid:2").replace("ssrc:11", "ssrc:12")
LOCAL = "a=candidate:1 1 udp 2113937151 0f1e2d3c.local 54400 typ host\r\n"
HOST = "candidate:1 1 udp 2113937151 {} 54400 typ host"


def refused(sdp: str) -> InputError:
    with pytest.raises(InputError) as caught:
        check_offer(sdp, allow_loopback=False)
    return caught.value


@pytest.mark.parametrize(
    ("offer", "screen"),
    [(SESSION + AUDIO + VIDEO, False), (WITH_SCREEN + AUDIO + VIDEO + SCREEN, True)],
)
def test_the_fixed_layouts_are_taken(offer: str, screen: bool) -> None:
    assert check_offer(offer, allow_loopback=False).has_screen is screen


@pytest.mark.parametrize(
    "sections",
    ["", AUDIO, VIDEO, VIDEO + AUDIO, AUDIO + VIDEO * 3, AUDIO + VIDEO + "m=application 9 x y\r\n"],
)
def test_any_other_layout_is_refused_in_words(sections: str) -> None:
    assert refused(SESSION + sections).code == "sdp_layout"


def test_an_offer_over_32_kib_is_refused() -> None:
    assert refused(SESSION + AUDIO + VIDEO + "a=x\r\n" * 8000).code == "sdp_too_large"


def test_more_than_30_candidates_are_refused() -> None:
    assert refused(SESSION + AUDIO + LOCAL * 31 + VIDEO).code == "sdp_candidates"


@pytest.mark.parametrize("line", ["a=simulcast:send h;m", "a=rid:h send"])
def test_simulcast_is_refused(line: str) -> None:
    assert refused(SESSION + AUDIO + VIDEO + line).code == "sdp_simulcast"


def test_trap_19_two_videos_without_ssrc_are_refused() -> None:
    bare = SCREEN.replace("a=ssrc:12 cname:x\r\n", "")
    assert refused(WITH_SCREEN + AUDIO + VIDEO + bare).code == "sdp_ssrc"
    check_offer(SESSION + AUDIO + bare.replace("mid:2", "mid:1"), allow_loopback=False)


def test_trap_11_a_stopped_m_line_is_refused_and_a_bundled_one_is_not() -> None:
    stopped = VIDEO.replace("video 9", "video 0")
    assert "new connection" in refused(SESSION + AUDIO + stopped).message
    check_offer(SESSION + AUDIO + stopped + "a=bundle-only\r\n", allow_loopback=False)


@pytest.mark.parametrize(
    "offer",
    [
        "v=0\r\na=fingerprint:sha-256 00:11\r\n" + AUDIO + VIDEO,
        SESSION + AUDIO + SCREEN,
        SESSION + AUDIO + VIDEO.replace("mid:1", "mid:0"),
        SESSION + AUDIO + "a=mid:1\r\n" + VIDEO,
        SESSION + AUDIO + "a=mid:1\r\n" + VIDEO.replace("a=mid:1\r\n", ""),
        SESSION + AUDIO.replace("a=mid:0\r\n", "") + VIDEO,
    ],
)
def test_media_that_is_not_bundled_is_refused(offer: str) -> None:
    assert "bundle" in refused(offer).message


def test_an_offer_without_a_fingerprint_is_refused() -> None:
    offer = SESSION.replace("a=fingerprint:sha-256 00:11\r\n", "") + AUDIO + VIDEO
    assert refused(offer).code == "sdp_fingerprint"
    with_its_own = offer.replace(AUDIO, AUDIO + "a=fingerprint:sha-256 00:11\r\n")
    check_offer(with_its_own, allow_loopback=False)


def test_trap_17_local_names_and_the_end_of_candidates_are_left_out() -> None:
    usable = f"a={HOST.format('192.0.2.7')}\r\n"
    offer = SESSION + AUDIO + LOCAL + usable + "a=end-of-candidates\r\n" + VIDEO
    assert check_offer(offer, allow_loopback=False).sdp == SESSION + AUDIO + VIDEO + usable


def test_candidates_of_bundled_m_lines_are_left_out() -> None:
    other = f"a={HOST.format('192.0.2.9')}\r\n"
    offer = check_offer(SESSION + AUDIO + VIDEO + other, allow_loopback=False)
    assert offer.sdp == SESSION + AUDIO + VIDEO


@pytest.mark.parametrize(
    "address", ["192.168.1.5", "10.0.0.1", "8.8.8.8", "192.0.2.2", "fd00::2", "2001:db8::1"]
)
def test_addresses_of_people_are_used(address: str) -> None:
    assert usable_candidate(HOST.format(address), allow_loopback=False)


@pytest.mark.parametrize(
    "address",
    [
        "224.0.0.1",
        "0.0.0.0",
        "169.254.169.254",
        "255.255.255.255",
        "fe80::1",
        "::",
        "internal.example",
        "x.local",
        "127.0.0.1",
        "",
    ],
)
def test_names_and_addresses_that_nobody_should_be_sent_to_are_not_used(address: str) -> None:
    assert not usable_candidate(HOST.format(address), allow_loopback=False)


def test_loopback_is_used_where_there_is_nothing_else() -> None:
    assert usable_candidate(HOST.format("127.0.0.1"), allow_loopback=True)


def test_tcp_candidates_are_left_out() -> None:
    tcp = "candidate:1 1 tcp 1 192.0.2.2 9 typ host tcptype active"
    assert not usable_candidate(tcp, allow_loopback=True)


@given(st.text(max_size=200))
def test_no_candidate_text_is_an_error(text: str) -> None:
    usable_candidate(text, allow_loopback=True)


@given(
    st.lists(
        st.sampled_from([*AUDIO.split("\r\n"), *VIDEO.split("\r\n"), LOCAL, "m=", "m", "\0", "a="])
    )
)
def test_no_offer_text_is_anything_but_taken_or_refused(lines: list[str]) -> None:
    try:
        check_offer("\r\n".join(lines), allow_loopback=False)
    except InputError:
        return


def test_the_start_bit_rate_is_added_for_each_codec_once() -> None:
    answer = (
        "m=video 9 x 96 98\r\na=rtpmap:96 VP8/90000\r\na=rtpmap:97 rtx/90000\r\n"
        "a=fmtp:97 apt=96\r\na=rtpmap:98 H264/90000\r\na=fmtp:98 packetization-mode=1\r\n"
    )
    hinted = hint_bit_rate(answer).splitlines()
    hint = "x-google-start-bitrate=1500;x-google-min-bitrate=300"
    assert f"a=fmtp:96 {hint}" in hinted
    assert f"a=fmtp:98 packetization-mode=1;{hint}" in hinted
    assert "a=fmtp:97 apt=96" in hinted
    assert len(hinted) == 7
