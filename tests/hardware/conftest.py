"""What the hardware tests share: tools and recordings that may be absent, and a target."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from demo.olt import SimulatedOlt
from hardware.snmp import Target

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def require_tool() -> Callable[[str], str]:
    """Return a function that finds a program; without it the test is skipped, and fails in CI."""

    def find(name: str) -> str:
        path = shutil.which(name)
        if path is None:
            reason = f"{name} is not installed (Debian: apt-get install snmp)"
            if os.environ.get("CI") == "true":
                pytest.fail(reason)
            pytest.skip(reason)
        return path

    return find


@pytest.fixture(scope="session")
def recordings() -> Path:
    """Return the folder of real devices' recordings; they are not part of the project."""
    folder = Path(os.environ.get("ISP_RECORDINGS", PROJECT.parent / "shared" / "recordings"))
    if not folder.is_dir():
        pytest.skip("no recordings of real OLTs: put them beside the project or set ISP_RECORDINGS")
    return folder


@pytest.fixture
def target_of() -> Callable[..., Target]:
    """Return a function that gives a simulated OLT's target, patient enough for a busy machine."""

    def target(olt: SimulatedOlt, **options: object) -> Target:
        wanted: dict[str, object] = {"community": "public", "timeout_seconds": 2.0, "retries": 2} | options
        return Target(olt.host, olt.port, **wanted)  # type: ignore[arg-type]

    return target
