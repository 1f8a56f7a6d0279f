"""`python -m bridge.broadcast.self_check [ENCODER]`: what the media libraries can do, as JSON.

With the setting `encoder`, so that a missing one that nobody asked for is no fault.
"""

import json
import sys

import aiortc
import av
from av.codec.codec import UnknownCodecError

from bridge.aiortc_inside.versions import RECEIVER_ATTRIBUTES
from bridge.broadcast.media.encoders import EncoderKind, look

_CODECS = (
    ("libx264", "w", "encodes the programme's picture"),
    ("aac", "w", "encodes the programme's sound"),
    ("libopus", "w", "speaks to browsers"),
    ("libvpx", "w", "is the headless debater's picture"),
    ("vp8", "r", "decodes debaters' pictures"),
    ("h264", "r", "decodes debaters' pictures"),
)


def _codec(name: str, mode: str, purpose: str) -> dict[str, object]:
    try:
        av.Codec(name, mode)  # type: ignore[arg-type]
        ok = True
    except UnknownCodecError:
        ok = False
    return {
        "name": f"codec {name}",
        "ok": ok,
        "found": purpose if ok else "missing",
        "remedy": "Reinstall the locked `av` wheel: `make clean setup`.",
    }


def _encoder(kind: EncoderKind, wanted: str) -> dict[str, object]:
    finding = look(kind)
    return {
        "name": f"encoder {kind}",
        "ok": finding.works or kind not in {wanted, EncoderKind.X264},
        "found": f"works: {finding.why}" if finding.works else f"not here: {finding.why}",
        "remedy": "Mend that, or choose one that works with BRIDGE_ENCODER.",
    }


def main() -> None:
    """Print a JSON list of checks."""
    wanted = sys.argv[1] if len(sys.argv) > 1 else EncoderKind.X264
    checks = [_codec(*codec) for codec in _CODECS]
    checks += [_encoder(kind, wanted) for kind in EncoderKind]
    checks.append(
        {
            "name": "aiortc",
            "ok": True,
            "found": f"{aiortc.__version__}, {len(RECEIVER_ATTRIBUTES)} private names checked",
            "remedy": "",
        }
    )
    sys.stdout.write(json.dumps(checks))


if __name__ == "__main__":
    main()
