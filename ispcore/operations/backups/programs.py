"""PostgreSQL's own programs, of a version that can read the server."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ispcore.embedded.home import find_postgres
from ispcore.embedded.process import EmbeddedError, run_as
from ispcore.operations.backups import BackupError

# Where Debian keeps each version; its pg_dump in /usr/bin is that of whichever cluster comes first.
DEBIAN = Path("/usr/lib/postgresql")
VERSION = re.compile(r"\(PostgreSQL\) (\d+)")


def find_program(name: str, *, major: int) -> Path:
    """Return `pg_dump` or `pg_restore` of at least a major version.

    Looked for in PATH, among Debian's versions and in the wheel of the embedded server, in this order. An older
    pg_dump refuses a newer server. Raises BackupError when there is none.
    """
    seen = []
    for path in _candidates(name):
        found = VERSION.search(run_as(None, [str(path), "--version"]).stdout)
        if found and int(found[1]) >= major:
            return path
        seen.append(f"{path} ({found[1] if found else 'does not run'})")
    raise BackupError(
        f"The server is PostgreSQL {major}, and no {name} of that version or newer was found. "
        f"Install postgresql-client-{major}. Looked at: {', '.join(seen) or 'nothing'}."
    )


def _candidates(name: str) -> Iterator[Path]:
    in_path = shutil.which(name)
    if in_path:
        yield Path(in_path)
    yield from sorted(DEBIAN.glob(f"*/bin/{name}"), reverse=True)
    try:
        path = find_postgres() / name
    except EmbeddedError:
        return
    if path.exists():
        yield path


def without_password(url: str) -> tuple[str, dict[str, str]]:
    """Return a connection string for a command line, which every user of the machine can read, and its environment."""
    parts = conninfo_to_dict(url)
    password = parts.pop("password", None)
    environment = dict(os.environ)
    if password:
        environment["PGPASSWORD"] = str(password)
    return make_conninfo("", **parts), environment
