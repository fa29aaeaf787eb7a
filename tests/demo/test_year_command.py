"""`make demo-year`, as its user starts it."""

import subprocess
import sys

import pytest


@pytest.mark.timeout(600)  # Two servers are started, and all tables made.
def test_walks_two_providers_and_counts_again() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "demo.year", "4", "--days", "2"],
        capture_output=True, text=True, timeout=580, check=False,
    )  # fmt: skip

    assert run.returncode == 0, run.stdout + run.stderr
    assert "Europe/Lisbon: 2 customers made" in run.stdout
    assert "America/Santiago: 2 customers made" in run.stdout
