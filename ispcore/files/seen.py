"""Which rows of a file claimed what, for files too long to remember in memory."""

import hashlib
import sqlite3
from collections.abc import Iterable


class SeenClaims:
    """What earlier rows claim, in a database of this process that lies on disk: memory does not grow with it."""

    def __init__(self) -> None:
        self._base = sqlite3.connect(
            ""
        )  # SQLite: an empty name is a temporary file, deleted when it is closed.
        self._base.execute("CREATE TABLE seen (claim BLOB PRIMARY KEY, number INTEGER) WITHOUT ROWID")

    def first_of(self, claims: Iterable[tuple[str, str]]) -> tuple[str, int] | None:
        """Return which claim was seen, and in which row."""
        for column, value in claims:
            row = self._base.execute("SELECT number FROM seen WHERE claim = ?", [_digest(column, value)])
            if found := row.fetchone():
                return column, found[0]
        return None

    def add(self, claims: Iterable[tuple[str, str]], number: int) -> None:
        self._base.executemany(
            "INSERT OR IGNORE INTO seen VALUES (?, ?)", ((_digest(*claim), number) for claim in claims)
        )

    def close(self) -> None:
        self._base.close()


def _digest(column: str, value: str) -> bytes:
    return hashlib.blake2b(f"{column}:{value}".encode(), digest_size=16).digest()
