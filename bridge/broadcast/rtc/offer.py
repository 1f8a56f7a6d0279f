"""What a browser offers, checked and cut to what the receive path can take. Text in, text out."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Final

from bridge.errors import InputError
from bridge.protocol.messages import MAX_SDP_BYTES

MAX_CANDIDATES: Final = 30
_LAYOUTS: Final = (("audio", "video"), ("audio", "video", "video"))
_START_KBPS: Final = 1500
_MIN_KBPS: Final = 300
# Only Chrome reads these, and only in an answer's fmtp; others ignore what they do not know.
_HINT: Final = f"x-google-start-bitrate={_START_KBPS};x-google-min-bitrate={_MIN_KBPS}"
_RTPMAP: Final = re.compile(r"a=rtpmap:(\d+) (VP8|H264)/90000")
_ICE_LINES: Final = ("a=candidate:", "a=end-of-candidates")
_FMTP: Final = re.compile(r"a=fmtp:(\d+) (.*)")


@dataclass(frozen=True, slots=True)
class Offer:
    """An offer that may be given to aiortc."""

    sdp: str
    """Without candidates that cannot be used, and without end-of-candidates."""
    has_screen: bool
    """Whether there is a second video m-line."""


def check_offer(sdp: str, *, allow_loopback: bool, allow_private: bool = True) -> Offer:
    """Check limits and layout. Raises InputError in words.

    `.local` names need multicast to resolve and cost a second each when it fails; with
    end-of-candidates behind them ICE fails at once. Without either, the browser's own checks reach
    us and ICE succeeds in 50 ms by peer-reflexive candidates (notes/aiortc.md 4).
    """
    if len(sdp.encode()) > MAX_SDP_BYTES:
        message = f"The offer is larger than {MAX_SDP_BYTES // 1024} KiB."
        raise InputError(message, code="sdp_too_large")
    session, *sections = _sections(sdp)
    kinds = tuple(section[0][2:].split(" ", 1)[0] for section in sections)
    if kinds not in _LAYOUTS:
        message = f"The offer must have audio, video and at most a second video, not {kinds[:5]}."
        raise InputError(message, code="sdp_layout")
    _check_transport(session, sections)
    for section in sections:
        _check_section(section, alone=kinds.count("video") == 1)
    lines = [line for section in (session, *sections) for line in section]
    if sum(line.startswith("a=candidate:") for line in lines) > MAX_CANDIDATES:
        message = f"The offer has more than {MAX_CANDIDATES} candidates."
        raise InputError(message, code="sdp_candidates")
    kept = [line for line in lines if not line.startswith(_ICE_LINES)]
    # All media share the first m-line's transport (RFC 8843 7); aiortc reads the last one's lines.
    kept += [
        line
        for line in sections[0]
        if line.startswith("a=candidate:")
        and usable_candidate(line, allow_loopback=allow_loopback, allow_private=allow_private)
    ]
    return Offer("\r\n".join(kept) + "\r\n", has_screen=len(kinds) == 3)


def usable_candidate(candidate: str, *, allow_loopback: bool, allow_private: bool = True) -> bool:
    """Whether to send checks to this address: a UDP candidate of a plain unicast address.

    The server sends packets to what a client names here, so names are not looked up, and what lies
    on this machine or this link only is left out; without `allow_private` also what is not on the
    Internet. A browser there still connects, by its own checks.
    """
    fields = candidate.removeprefix("a=").removeprefix("candidate:").split()
    if len(fields) < 8 or fields[2].lower() != "udp":
        return False
    try:
        address = ipaddress.ip_address(fields[4])
    except ValueError:
        return False
    # An IPv4 address in the clothes of IPv6 is judged as what it is (RFC 4291 2.5.5.2).
    address = getattr(address, "ipv4_mapped", None) or address
    if address.is_loopback:
        return allow_loopback
    if not (allow_private or address.is_global):
        return False
    return not (
        address.is_multicast
        or address.is_unspecified
        or address.is_link_local
        or (address.is_reserved and not address.is_private)
        or address == ipaddress.IPv4Address("255.255.255.255")
    )


def hint_bit_rate(answer: str) -> str:
    """Add a start bit rate for Chrome, which otherwise begins at 300 kb/s, to VP8 and H.264."""
    video = {match[1] for match in map(_RTPMAP.match, answer.splitlines()) if match}
    with_parameters = {match[1] for match in map(_FMTP.match, answer.splitlines()) if match}
    lines: list[str] = []
    for line in answer.splitlines():
        fmtp, rtpmap = _FMTP.match(line), _RTPMAP.match(line)
        if fmtp and fmtp[1] in video:
            lines.append(f"{line};{_HINT}")
            continue
        lines.append(line)
        if rtpmap and rtpmap[1] not in with_parameters:
            lines.append(f"a=fmtp:{rtpmap[1]} {_HINT}")
    return "\r\n".join(lines) + "\r\n"


def _sections(sdp: str) -> list[list[str]]:
    sections: list[list[str]] = [[]]
    for line in sdp.splitlines():
        if line.startswith("m="):
            sections.append([])
        if line:
            sections[-1].append(line)
    return sections


def _check_transport(session: list[str], sections: list[list[str]]) -> None:
    """Refuse what leaves aiortc with an m-line that has no transport, or no key to check.

    It finds both out in the background, after it has answered.
    """
    groups = [line.split()[1:] for line in session if line.startswith("a=group:BUNDLE ")]
    mids = [line[6:] for section in sections for line in section if line.startswith("a=mid:")]
    named = all(any(line.startswith("a=mid:") for line in section) for section in sections)
    if groups != [mids] or not named or len(set(mids)) != len(sections):
        message = "The offer must bundle all its media (a=group:BUNDLE), each with its own a=mid."
        raise InputError(message, code="sdp_layout")
    if not any(line.startswith("a=fingerprint:") for line in (*session, *sections[0])):
        message = "The offer must have the fingerprint of its DTLS certificate."
        raise InputError(message, code="sdp_fingerprint")


def _check_section(section: list[str], *, alone: bool) -> None:
    media = section[0].split()
    if len(media) < 2 or (media[1] == "0" and "a=bundle-only" not in section):
        message = "An m-line of the offer is stopped. Make a new connection."
        raise InputError(message, code="sdp_layout")
    if any(line.startswith(("a=simulcast:", "a=rid:")) for line in section):
        message = "Simulcast is not accepted: send one encoding per track."
        raise InputError(message, code="sdp_simulcast")
    if media[0] == "m=video" and not alone and not any(x.startswith("a=ssrc:") for x in section):
        message = "With two videos each needs its a=ssrc lines."
        raise InputError(message, code="sdp_ssrc")
