"""`python -m bridge.broadcast.self_check`: what the media libraries can do here, as JSON."""

import json
import sys

import aiortc
import av
from av.codec.codec import UnknownCodecError

from bridge.aiortc_inside.versions import RECEIVER_ATTRIBUTES

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


def main() -> None:
    """Print a JSON list of checks."""
    checks = [_codec(*codec) for codec in _CODECS]
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
