"""Say which programs a test drives, so that it is skipped with a reason where they are missing.

In continuous integration (CI=true) such a skip would hide a hole, so there it is a failure.
"""

import functools
import os
from collections.abc import Callable
from typing import Any

import pytest

from tests import system_packages


def require(*names: str) -> list[str]:
    """Return the paths of programs named in tests/system_packages.py, for use in a fixture.

    Skips the calling test when one is missing, or fails it when CI=true.
    """
    paths = [system_packages.find(name) for name in names]
    missing = [name for name, path in zip(names, paths, strict=True) if path is None]
    if missing:
        packages = " ".join(sorted({system_packages.package_of(name) for name in missing}))
        reason = f"{', '.join(missing)} not installed (Debian: {packages})"
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail(f"{reason}; under CI a missing program is a failure", pytrace=False)
        pytest.skip(reason)
    return [path for path in paths if path is not None]


def needs(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Mark a test function as driving these programs: `@needs("radclient")`."""
    for name in names:
        system_packages.package_of(name)  # A misspelt name fails when the test is collected.

    def decorate(test: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(test)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            require(*names)
            return test(*args, **kwargs)

        return guarded

    return decorate
