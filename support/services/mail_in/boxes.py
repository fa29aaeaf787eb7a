"""Where mail comes from. A mailbox gives messages and is told what became of each; it knows nothing of tickets."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

MOST_BYTES = 25 * 1024 * 1024  # What large mail services take (Gmail, Outlook.com: 25 MB).


@dataclass(frozen=True)
class Message:
    """A message as it came: its name in the mailbox, its bytes, and whether it is longer than what was read of it."""

    id: str
    raw: bytes
    is_cut: bool = False


class Mailbox(Protocol):
    """One helpdesk's mail. `done` and `refused` put a message out of the way; repeating them changes nothing."""

    def messages(self) -> Iterator[Message]: ...

    def done(self, message_id: str) -> None: ...

    def refused(self, message_id: str) -> None: ...


class Maildir:
    """A Maildir (qmail's maildir(5)) with two folders of Maildir++: Done and Refused.

    A message is one file that its deliverer renamed into place, so what is seen is whole. It is put away by a rename as
    well: whoever dies before it leaves the message where it was.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def messages(self) -> Iterator[Message]:
        """Give what is in the inbox, seen by a mail program or not, the oldest first."""
        waiting = [
            file
            for place in ("new", "cur")
            if (self._path / place).is_dir()
            for file in (self._path / place).iterdir()
            if not file.name.startswith(".") and file.is_file() and not file.is_symlink()
        ]
        for file in sorted(waiting, key=lambda each: each.name):  # A name begins with the second it came in.
            with suppress(FileNotFoundError):  # Somebody else was faster.
                with file.open("rb") as content:
                    raw = content.read(MOST_BYTES + 1)
                yield Message(
                    f"{file.parent.name}/{file.name}", raw[:MOST_BYTES], is_cut=len(raw) > MOST_BYTES
                )

    def done(self, message_id: str) -> None:
        self._put_away(message_id, "Done")

    def refused(self, message_id: str) -> None:
        self._put_away(message_id, "Refused")

    def _put_away(self, message_id: str, folder: str) -> None:
        beside = self._path / f".{folder}"
        for place in ("tmp", "new", "cur"):  # Somebody else may be making them as well.
            (beside / place).mkdir(mode=0o700, parents=True, exist_ok=True)
        (beside / "maildirfolder").touch(mode=0o600)
        unique, _, _ = Path(message_id).name.partition(":")
        with suppress(FileNotFoundError):
            (self._path / message_id).rename(beside / "cur" / f"{unique}:2,S")
