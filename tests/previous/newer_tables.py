"""A pytest plugin for an older tree of this project: its tables are made by the migrations of a newer one."""

import os
import subprocess
import sys
from typing import Any
from urllib.parse import quote

from django.core import management

NEWER_TREE = os.environ["ISP_NEWER_TREE"]
_call_command = management.call_command


def call_command(name: Any, *args: Any, **options: Any) -> Any:
    """Run `migrate` of the newer tree, as the role that the older one's tests have become, and all else as it is."""
    if name != "migrate":
        return _call_command(name, *args, **options)
    from django.db import connection

    here = connection.settings_dict
    connection.close()
    url = (
        f"postgresql://{here['USER']}:{quote(here['PASSWORD'])}@{here['HOST']}:{here['PORT']}/{here['NAME']}"
    )
    return subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
        cwd=NEWER_TREE, env=os.environ | {"DATABASE_URL": url}, check=True,
    )  # fmt: skip


management.call_command = call_command  # type: ignore[assignment]  # Before the older tree's conftest takes it by its name.
