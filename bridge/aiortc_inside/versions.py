"""Which aiortc and aioice are known here, by version and by private attribute."""

from collections.abc import Collection
from typing import Final

from bridge.errors import SetupError

RECEIVER_ATTRIBUTES: Final = (
    "codecs", "rtx_ssrc", "remote_streams", "started", "rtcp_task", "rtcp_exited", "decoder_queue",
)  # fmt: skip


def check_versions(aiortc: str, aioice: str) -> None:
    """Raise SetupError when other versions are installed than this was written for."""
    for name, found, known in (("aiortc", aiortc, "1.16."), ("aioice", aioice, "0.13.")):
        if not found.startswith(known):
            message = (
                f"{name} {found} is installed, the receive path knows {known}*. "
                "Install the locked packages: `make setup`."
            )
            raise SetupError(message)


def check_attributes(names: Collection[str]) -> None:
    """Raise SetupError unless a receiver has the private attributes that are used here."""
    unknown = [name for name in RECEIVER_ATTRIBUTES if f"_RTCRtpReceiver__{name}" not in names]
    if unknown:
        message = f"aiortc's receiver has no attributes {unknown}: `make setup`."
        raise SetupError(message)
