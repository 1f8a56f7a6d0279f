"""A thread that says how it starts, how it ends and what it failed of."""

import logging
from collections.abc import Callable
from threading import Thread

logger = logging.getLogger(__name__)


class Worker:
    """Runs `run` on a named thread of its own; the owner starts and stops it.

    An exception out of `run` is logged with its traceback and given to `on_failure` on the
    worker's thread; it never reaches another thread by itself.
    """

    def __init__(
        self,
        name: str,
        run: Callable[[], None],
        *,
        on_failure: Callable[[Exception], None] | None = None,
    ) -> None:
        self._run = run
        self._on_failure = on_failure
        self._thread = Thread(target=self._main, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread. Once only."""
        self._thread.start()

    def join(self, timeout: float) -> bool:
        """Wait for the end; False if it still runs. Never call on the event loop."""
        if self._thread.ident is None:
            return True
        self._thread.join(timeout)
        return not self._thread.is_alive()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def _main(self) -> None:
        try:
            self._run()
        except Exception as error:
            logger.exception("%s failed", self._thread.name)
            if self._on_failure is not None:
                self._on_failure(error)
