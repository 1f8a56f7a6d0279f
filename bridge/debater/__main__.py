"""`python -m bridge.debater`: one debater, told what to do in one JSON line on standard input.

The invite holds a token, which is why it does not come as an argument: those are seen by everybody
on the machine.
"""

import sys
from pathlib import Path
from typing import Annotated

import uvloop
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from bridge.debater.debater import Pattern
from bridge.debater.invite import parse_invite
from bridge.debater.main import main
from bridge.errors import BridgeError
from bridge.log import Redactor, set_up

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2


class Order(BaseModel):
    """The line on standard input."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    invite: Annotated[str, StringConstraints(max_length=2048)]
    """A secret: its fragment is the token."""
    media: Path | None = None
    """Film to show; None: draw one."""
    name: Annotated[str | None, StringConstraints(max_length=80)] = None
    """Name drawn into the picture; None: the one the room has."""
    pattern: Pattern = Pattern.FACE
    log_level: str = "info"


def run() -> int:
    """Read the order, debate, and say how it went."""
    try:
        order = Order.model_validate_json(sys.stdin.buffer.readline())
    except ValidationError as error:
        # The values may be secrets: only where they stand is said.
        places = ", ".join(".".join(map(str, item["loc"])) or "line" for item in error.errors())
        sys.stderr.write(f"debater: malformed order on standard input: {places}\n")
        return EXIT_USAGE
    try:
        set_up(order.log_level, Redactor([parse_invite(order.invite).token]))
        uvloop.run(main(order.invite, order.media, order.name, pattern=order.pattern))
    except BridgeError as error:
        sys.stderr.write(f"debater: {error.message}\n")
        return EXIT_FAILED
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(run())
