"""A management command for whichever database an installation uses, as its owner."""

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from ispcore.embedded import roles
from ispcore.embedded.database import OF_THE_APPLICATION, own_database
from ispcore.embedded.home import open_home
from ispcore.embedded.process import EmbeddedError
from ispcore.embedded.runner import PROJECT, data_directory, read_settings
from ispcore.embedded.servers import hold, require_keys, role_passwords, start_servers

RUNS = "`make run` uses this database. Stop it with Ctrl-C where it was started, and try again."
KEYS_FIRST = (
    "Put the keys of the backup there first, as {path}: the file that `make backup-keys` wrote, or the secrets.env "
    "it was made with. Without it new keys would be made, which open nothing in the backup."
)


def manage(arguments: list[str], *, alone: bool) -> int:
    """Run `manage.py` with the owner's URL in DATABASE_OWNER_URL and return its exit status.

    `alone` refuses while `make run` is running, and holds it off meanwhile. Raises EmbeddedError with what to do.
    """
    with _environment(read_settings(), alone=alone) as environment:
        process = subprocess.Popen([sys.executable, str(PROJECT / "manage.py"), *arguments], env=environment)
        with _ended_with(process):
            return process.wait()


@contextlib.contextmanager
def _ended_with(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """Hand a request to end on to the command, and wait for it: the servers below it must outlive it."""
    names = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {name: signal.signal(name, lambda number, _frame: process.send_signal(number)) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


@contextlib.contextmanager
def _environment(given: Mapping[str, str], *, alone: bool) -> Iterator[dict[str, str]]:
    if given.get("DATABASE_OWNER_URL"):
        yield dict(given)
        return
    home = open_home(data_directory(given))
    with contextlib.ExitStack() as stack:
        try:
            # Held where it is free, so that `make run` does not adopt servers that end with this command.
            stack.enter_context(hold(home.data_dir / "run.lock", wait=False, refusal=RUNS))
        except EmbeddedError:
            if alone:
                raise
        if alone:
            _require_keys(given, home.data_dir / "secrets.env")
        keys = require_keys(home)
        of_the_application = {name: given.get(name) or keys[name] for name in OF_THE_APPLICATION}
        if given.get("DATABASE_URL"):
            urls = own_database(given, role_passwords(keys))
            if roles.OWNER not in urls:
                raise EmbeddedError("Set DATABASE_OWNER_URL to the role isp_owner.")
            addresses = {"DATABASE_URL": urls[roles.APP], "DATABASE_OWNER_URL": urls[roles.OWNER]}
        else:
            servers = stack.enter_context(start_servers(home.data_dir))
            addresses = {**servers.environment(), "DATABASE_OWNER_URL": servers.owner_url}
        yield {**given, **addresses, **of_the_application, "ISP_DATA_DIR": str(home.data_dir)}


def _require_keys(given: Mapping[str, str], path: Path) -> None:
    if not path.exists() and not all(given.get(name) for name in OF_THE_APPLICATION):
        raise EmbeddedError(KEYS_FIRST.format(path=path))
