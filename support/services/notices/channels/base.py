"""What a way of sending is to us: one call, and three ways in which it may fail."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True)
class Message:
    """`key` is the same at each try: whoever gets it twice after all can tell. `stop_url` ends such messages."""

    key: str
    address: str
    subject: str
    body: str
    stop_url: str = ""


class Unreachable(Exception):
    """Nobody took the message, or any other: nothing left this machine."""


class Refused(Exception):
    """The message was turned away in so many words. With `again` another try may work."""

    def __init__(self, why: str, *, again: bool) -> None:
        super().__init__(why)
        self.again = again


class Uncertain(Exception):
    """The other side went away before it said whether it took the message."""


class Way(Protocol):
    """An open way. Each call ends within a stated time and holds no transaction."""

    def send(self, message: Message, *, at: datetime) -> None:
        """Hand over one message. Raises Unreachable, Refused, Uncertain."""
        ...

    def close(self) -> None: ...
