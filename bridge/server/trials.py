"""Destinations are tried before the debate, each by a child process that sends a test card."""

import asyncio
import contextlib
import logging
import os
import sys
from asyncio.subprocess import PIPE
from typing import Final

from pydantic import ValidationError

from bridge.errors import ConflictError, OutputError
from bridge.protocol.broadcast_config import CanvasConfig, TrialConfig, TrialReport
from bridge.server.broadcasts import ENVIRONMENT

logger = logging.getLogger(__name__)

_COMMAND: Final = (sys.executable, "-m", "bridge.broadcast.trial")
_MOST: Final = 2
"""At a time, on the whole server: each encodes a test card beside the debates on air."""
_START_SECONDS: Final = 12.0
"""For codecs to be imported, and for the goodbye."""


class Trials:
    """Runs trials. Loop-side only."""

    def __init__(self, canvas: CanvasConfig, *, allow_private: bool) -> None:
        # The picture is the programme's in size, rate and keyframes; how it looks does not matter.
        self._canvas = canvas.model_copy(update={"preset": "ultrafast", "ladder": ()})
        self._allow_private = allow_private
        self._running: set[str] = set()

    async def run(self, name: str, url: str) -> TrialReport:
        """Try `url`; some 6 seconds when it works, 12 when it does not.

        Raises ConflictError when `name` or too many others are being tried, OutputError when the
        trial itself failed.
        """
        if name in self._running:
            message = "This destination is being tested."
            raise ConflictError(message, code="trial_running")
        if len(self._running) >= _MOST:
            message = "Other destinations are being tested. Try again in some seconds."
            raise ConflictError(message, code="trials_busy")
        self._running.add(name)
        try:
            return await self._run(url)
        finally:
            self._running.discard(name)

    async def _run(self, url: str) -> TrialReport:
        config = TrialConfig(url=url, allow_private=self._allow_private, canvas=self._canvas)
        child = await asyncio.create_subprocess_exec(
            *_COMMAND,
            stdin=PIPE,
            stdout=PIPE,
            env={name: os.environ[name] for name in ENVIRONMENT if name in os.environ},
            start_new_session=True,
        )
        assert child.stdin is not None  # noqa: S101 - PIPE was asked for
        assert child.stdout is not None  # noqa: S101 - PIPE was asked for
        try:
            async with asyncio.timeout(config.seconds + _START_SECONDS):
                child.stdin.write(config.model_dump_json().encode() + b"\n")
                line = await child.stdout.readline()
                await child.wait()
            return TrialReport.model_validate_json(line)
        except (TimeoutError, ValidationError, ConnectionError):
            logger.exception("a trial did not end well")
            message = "The test did not work; see the server's log."
            raise OutputError(message, code="trial_failed") from None
        finally:
            if child.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    child.kill()
                await child.wait()
            child.stdin.close()
