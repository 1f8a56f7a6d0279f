"""Child process: draws the scenes in which somebody shares his screen, then ends.

Why a process: the rasteriser holds the GIL for a third of a second at a time, and the programme
must tick thirty times in each.

    stdin   one line SceneOrder, JSON
    stdout  for each sharer in order: size, 8 bytes big-endian, then the pickled Artwork
    stderr  what is wrong with the theme, for the log
    exit    0, or 1 after an error
"""

import ctypes
import os
import pickle
import signal
import sys
from typing import Final

from bridge.broadcast.media.artwork import draw_artwork
from bridge.broadcast.media.scene_order import SIZE_BYTES, SceneOrder
from bridge.broadcast.media.theme import Theme
from bridge.errors import BridgeError

_PR_SET_PDEATHSIG: Final = 1
_NICER: Final = 10


def main() -> int:
    """Draw what standard input orders. The broadcast's end ends this too."""
    # A terminal's Ctrl-C is for the broadcast, which then ends this in order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # The broadcast's own priority is inherited, and is not for this.
    os.nice(_NICER)
    order = SceneOrder.model_validate_json(sys.stdin.buffer.readline())
    try:
        theme = Theme(order.web / "themes" / order.theme, order.web / "fonts")
        for sharer in order.sharers:
            canvas = (order.width, order.height)
            artwork = draw_artwork(theme, order.caption, canvas, sharer=sharer)
            drawn = pickle.dumps(artwork, protocol=pickle.HIGHEST_PROTOCOL)
            sys.stdout.buffer.write(len(drawn).to_bytes(SIZE_BYTES, "big") + drawn)
            sys.stdout.buffer.flush()
    except BridgeError as error:
        sys.stderr.write(error.message)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
