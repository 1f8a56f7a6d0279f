"""Child process: draws what the broadcast orders, one order after another (studio_order.py).

Why a process: the rasteriser holds the GIL for a tenth of a second at a time, and the programme
must tick three times in each. And a theme may be somebody's upload: here it has little memory and
no secret, and when it takes too long it is killed.
"""

import ctypes
import os
import resource
import signal
import sys
from typing import Final

from bridge.broadcast.media.artwork import Drawing
from bridge.broadcast.media.scene import SceneKey
from bridge.broadcast.media.studio import Studio
from bridge.broadcast.media.studio_order import Commission, Order, pack
from bridge.broadcast.media.theme import load_theme
from bridge.errors import BridgeError

_PR_SET_PDEATHSIG: Final = 1
_PRIORITY: Final = 0
"""Somebody waits for a scene, but the programme's ticks come first."""
_MEMORY: Final = 1 << 30
"""Bytes: a 1080p canvas takes 150 MiB at most."""
_FILES: Final = 64


def main() -> int:
    """Draw until standard input ends. The broadcast's end ends this too."""
    # A terminal's Ctrl-C is for the broadcast, which then ends this in order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # The broadcast's own priority is inherited, and is not for this.
    os.setpriority(os.PRIO_PROCESS, 0, _PRIORITY)
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_FILES, _FILES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    commission = Commission.model_validate_json(sys.stdin.buffer.readline())
    studio: Studio | None = None
    for line in sys.stdin.buffer:
        answer: Drawing | str
        try:
            studio = studio or _open(commission)
            order = Order.model_validate_json(line)
            key = SceneKey(order.scene, order.subject)
            answer = studio.draw(key, order.caption, hasty=order.hasty)
        except BridgeError as error:
            answer = error.message
        except (MemoryError, RecursionError):
            answer = "the theme takes more memory than it may"
        sys.stdout.buffer.write(pack(answer))
        sys.stdout.buffer.flush()
    return 0


def _open(commission: Commission) -> Studio:
    theme = load_theme(commission.theme, commission.web)
    return Studio(theme, (commission.width, commission.height))


if __name__ == "__main__":
    sys.exit(main())
