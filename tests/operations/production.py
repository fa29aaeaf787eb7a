"""What a real installation's environment says, for what a test starts as one."""

import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
SETTINGS = {
    "PUBLIC_URL": "https://isp.example",
    "ALLOWED_HOSTS": "isp.example,127.0.0.1",
    "TRUSTED_PROXIES": "127.0.0.1",
    "SECRET_KEY": "Wn3x8vQm5rT2yK7pLzBd4hFs9cJgA6eUqXo1iRwVtMNbYkHj-of-a-test",
}


def manage(*arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    """Run a management command as one of a real installation, with these settings besides."""
    return subprocess.run(
        [sys.executable, "-W", "ignore::RuntimeWarning", "manage.py", *arguments],
        cwd=PROJECT,
        env=os.environ | SETTINGS | settings,
        capture_output=True,
        text=True,
        check=False,
    )
