"""What every host of the drill's installation knows: secrets, addresses and programs."""

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ispcore.embedded.home import Home, open_home
from ispcore.embedded.servers import require_keys

PROJECT = Path(__file__).resolve().parents[2]
NEEDED = ("ip", "nginx", "freeradius", "setpriv")
SEARCH_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"


@dataclass
class Installation:
    """One installation, on all hosts; `environment` is complete once the databases and caches are known."""

    home: Home
    keys: Mapping[str, str]
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def bare_environment(self) -> dict[str, str]:
        return {
            "PATH": f"{Path(sys.executable).parent}:{SEARCH_PATH}", "LC_ALL": "C.UTF-8", "TZ": "UTC",
            "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(PROJECT), "DRILL_CWD": str(PROJECT),
        }  # fmt: skip

    def python(self, *words: str) -> list[str]:
        return [sys.executable, *words]

    def own(self, path: Path) -> None:
        """Give a path to the account that servers run as."""
        if self.home.account is not None:
            os.chown(path, self.home.account.uid, self.home.account.gid)

    def application_environment(self, directory: Path) -> dict[str, str]:
        """Return what a process of the product gets on a host whose files are in `directory`."""
        return self.bare_environment | self.environment | {
            "ISP_DATA_DIR": str(directory), "SECRET_KEY": self.keys["SECRET_KEY"],
            "FIELD_ENCRYPTION_KEYS": self.keys["FIELD_ENCRYPTION_KEYS"],
            "RADIUS_SECRET_KEY": self.keys["RADIUS_SECRET_KEY"],
            "ALLOWED_HOSTS": "*", "RATE_LIMIT_PER_MINUTE": "100000", "LOG_LEVEL": "INFO",
            "EMAIL_FILE_PATH": str(directory),
        }  # fmt: skip


def open_installation(directory: Path) -> Installation:
    home = open_home(directory / "data")
    return Installation(home, require_keys(home))


def missing_programs() -> list[str]:
    return [name for name in NEEDED if shutil.which(name, path=SEARCH_PATH) is None]
