"""The folder of backups: one at a time is made in it, and so many are kept."""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from ispcore.operations.backups import BackupError, manifest

DRAFT = ".part"


@contextlib.contextmanager
def working_in(folder: Path) -> Iterator[None]:
    """Hold the folder for the block and clear away what killed backups left in it.

    Raises BackupError while another backup is made there.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / ".lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BackupError(f"Another backup is being made in {folder}.") from error
        for draft in folder.glob(f"*{DRAFT}"):
            shutil.rmtree(draft)
        yield


def find_backups(folder: Path) -> list[Path]:
    """Return the whole backups of a folder, the oldest first: their names are their times."""
    return sorted(path.parent for path in folder.glob(f"*/{manifest.NAME}") if path.parent.suffix != DRAFT)


def finish(draft: Path) -> Path:
    """Give a draft its name, which only what is whole and on the disk has."""
    for path in draft.rglob("*"):
        _sync(path)
    _sync(draft)
    whole = draft.with_suffix("")
    draft.rename(whole)
    _sync(whole.parent)
    return whole


def remove_old(folder: Path, *, keep: int) -> list[Path]:
    """Remove all but the newest `keep` backups and return them. One half removed has a draft's name already."""
    old = find_backups(folder)[:-keep]
    for backup in old:
        draft = backup.with_name(f"{backup.name}{DRAFT}")
        backup.rename(draft)
        shutil.rmtree(draft)
    return old


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
