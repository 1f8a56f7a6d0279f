"""Everything the bridge raises on purpose.

    BridgeError
    ├── InputError                somebody sent what we cannot take; the message says what to do
    │   ├── TokenError            a token is missing, forged, or for another room or role
    │   ├── NotFoundError         no such room, recording or resource
    │   └── ConflictError         right request, wrong moment (a seat is taken, the debate is over)
    ├── SettingsError             the operator's settings contradict each other
    ├── SetupError                something the machine must have is missing
    ├── ChannelClosedError        nobody will read what is written any more
    ├── StreamEndedError          the awaited part will never come: the stream is over
    ├── ThemeError                a theme cannot be used; names the element
    └── OutputError               an output of the programme failed
        ├── OutputRejectedError   the other side said no; the same again will not help
        └── OutputLostError       the other side went away; trying again may help

`code` is stable and program-readable, the message is for people. Neither carries a secret.
"""


class BridgeError(Exception):
    """Root of the tree."""

    code = "internal"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code


class InputError(BridgeError):
    """Somebody sent what we cannot take; the message says what to do."""

    code = "invalid"


class TokenError(InputError):
    """A token is missing, forged, or for another room or role."""

    code = "token"


class NotFoundError(InputError):
    """No such room, recording or resource."""

    code = "not_found"


class ConflictError(InputError):
    """Right request, wrong moment."""

    code = "conflict"


class SettingsError(BridgeError):
    """The operator's settings contradict each other."""

    code = "settings"


class SetupError(BridgeError):
    """Something the machine must have is missing."""

    code = "setup"


class ChannelClosedError(BridgeError):
    """Nobody will read what is written any more."""

    code = "channel_closed"


class StreamEndedError(BridgeError):
    """The awaited part will never come: the stream is over."""

    code = "stream_ended"


class ThemeError(BridgeError):
    """A theme cannot be used; the message names the element."""

    code = "theme"


class OutputError(BridgeError):
    """An output of the programme failed."""

    code = "output"


class OutputRejectedError(OutputError):
    """The other side said no; the same again will not help."""

    code = "output_rejected"


class OutputLostError(OutputError):
    """The other side went away; trying again may help."""

    code = "output_lost"
