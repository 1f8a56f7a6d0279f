"""A state that only moves forward."""

from enum import IntEnum

from bridge.errors import LifecycleError


class Stage(IntEnum):
    """Where an owned thing is in its life."""

    NEW = 0
    STARTING = 1
    LIVE = 2
    ENDING = 3
    ENDED = 4


class Lifecycle:
    """Holds a `Stage`. Owner-side only (one thread or one loop)."""

    def __init__(self) -> None:
        self.stage = Stage.NEW

    def advance(self, stage: Stage) -> None:
        """Go on to `stage`; the same stage again is allowed. Raises LifecycleError backwards."""
        if stage < self.stage:
            message = f"cannot go from {self.stage.name} back to {stage.name}"
            raise LifecycleError(message)
        self.stage = stage

    @property
    def stopping(self) -> bool:
        """Whether the end has begun."""
        return self.stage >= Stage.ENDING
