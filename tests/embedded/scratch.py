"""A data directory for one test run."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def scratch_directory() -> Iterator[Path]:
    """Give a new directory that the account of the servers can pass through, and remove it at the end.

    pytest's own tmp_path is closed to other users, so under root the servers would move to /var/lib.
    """
    path = Path(tempfile.mkdtemp(prefix="isp "))
    path.chmod(0o711)
    try:
        yield path
    finally:
        shutil.rmtree(path)
