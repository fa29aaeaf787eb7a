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
from functools import cache
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
    """Return the folder with the provider and what it needs, installed once per version of them.

    Without a package registry the calling test is skipped, or fails where CI=true: there nobody would see the hole.
    """
    folder, reason = _install()
    if reason and os.environ.get("CI", "").lower() in ("1", "true"):
        pytest.fail(f"{reason}; under CI that is a failure", pytrace=False)
    if reason:
        pytest.skip(reason)
    return folder


@cache
def _install() -> tuple[Path, str]:
    """Return the folder and why it could not be filled, which no second test tries again; empty when it could."""
    sources = [HERE / name for name in ("package.json", "package-lock.json", "provider.mjs")]
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]
    folder = CACHE / f"identity-provider-{digest}"
    if folder.is_dir():
        return folder, ""
    (npm,) = require("npm")
    CACHE.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(dir=CACHE))
    for source in sources:
        shutil.copy(source, unfinished)
    if reason := _fetch(npm, unfinished):
        shutil.rmtree(unfinished)
        return folder, f"npm could not fetch oidc-provider, the test's log-in service ({reason})"
    try:
        unfinished.rename(folder)
    except OSError:  # Another worker of the same run was faster.
        shutil.rmtree(unfinished)
    return folder, ""


def _fetch(npm: str, folder: Path) -> str:
    """Install what the lock file in `folder` names; return why that failed, empty when it did not."""
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"]
    try:
        result = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return f"no end after {INSTALL_SECONDS} seconds"
    if result.returncode == 0:
        return ""
    said = [line.strip() for line in result.stderr.splitlines() if "err" in line.lower()]
    return "; ".join(said[:3]) or f"status {result.returncode}"
