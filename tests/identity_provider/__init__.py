"""A real OpenID Connect provider, certified by the OpenID Foundation: `oidc-provider` of npm, run by the tests."""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.needs import require

HERE = Path(__file__).resolve().parent
CACHE = HERE.parents[1] / ".run" / "npm"
SECRET = "a-secret-between-two-programs-of-one-test"
START_SECONDS = 30
INSTALL_SECONDS = 300


@dataclass(frozen=True)
class Running:
    """A running provider's addresses, as its metadata would name them."""

    issuer: str

    @property
    def settings(self) -> dict[str, str]:
        """Our settings that make it the installation's log-in service."""
        return {
            "OIDC_ISSUER": self.issuer,
            "OIDC_JWKS_URL": f"{self.issuer}/jwks",
            "OIDC_OP_AUTHORIZATION_ENDPOINT": f"{self.issuer}/auth",
            "OIDC_OP_TOKEN_ENDPOINT": f"{self.issuer}/token",
            "OIDC_OP_USER_ENDPOINT": f"{self.issuer}/me",
            "OIDC_END_SESSION_URL": f"{self.issuer}/session/end",
            "OIDC_RP_CLIENT_ID": "ispcore",
            "OIDC_RP_CLIENT_SECRET": SECRET,
            "OIDC_PROVIDER_NAME": "Example ID",
        }


@contextmanager
def running(*, accounts: dict[str, Any], clients: list[dict[str, Any]], audience: str) -> Iterator[Running]:
    """Run the provider with these accounts, by log-in name, and clients; any password is right."""
    (node,) = require("node")
    folder = _installed()
    given = json.dumps({"accounts": accounts, "clients": clients, "audience": audience})
    process = subprocess.Popen(
        [node, str(folder / "provider.mjs"), given],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "NODE_ENV": "development"},
        text=True,
    )
    try:
        assert process.stdout is not None
        issuer = process.stdout.readline().strip()
        assert issuer.startswith("http://127.0.0.1:"), "the provider did not start"
        yield Running(issuer)
    finally:
        process.terminate()
        process.wait(timeout=START_SECONDS)


def _installed() -> Path:
    """Return the folder with the provider and what it needs, installed once per version of them."""
    sources = [HERE / name for name in ("package.json", "package-lock.json", "provider.mjs")]
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]
    folder = CACHE / f"identity-provider-{digest}"
    if folder.is_dir():
        return folder
    (npm,) = require("npm")
    CACHE.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(dir=CACHE))
    for source in sources:
        shutil.copy(source, unfinished)
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    result = subprocess.run(
        command, cwd=unfinished, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
    )
    if result.returncode != 0:
        shutil.rmtree(unfinished)
        reason = f"oidc-provider could not be installed by npm: {result.stderr[-500:]}"
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    try:
        unfinished.rename(folder)
    except OSError:  # Another worker of the same run was faster.
        shutil.rmtree(unfinished)
    return folder
