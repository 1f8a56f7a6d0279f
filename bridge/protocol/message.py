"""What all Socket.IO messages have in common."""

from pydantic import BaseModel, ConfigDict


class Message(BaseModel):
    """Base of all messages: unknown keys are refused, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)
