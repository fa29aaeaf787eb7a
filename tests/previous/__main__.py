"""Run the tests of an earlier release on the tables of this one. `make test-previous PREVIOUS=v1.2 ARGS=tests/billing`.

What old processes do while new ones are started must go on working on the new tables: docs/upgrades.md. The earlier
tree is checked out beside, and runs with the packages of this one. Tests that say which tables there are are left
out: a new one is what they would find.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from tests.embedded.scratch import scratch_directory

HERE = Path(__file__).resolve().parents[2]
# They hold the tables against that tree's own migrations, and a new release may have more of them.
ABOUT_TABLES = ("tests/architecture", "tests/api/test_isolation.py", "tests/tenants/test_isolation.py")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.previous", description=__doc__)
    parser.add_argument("release", help="the tag, or another commit")
    parser.add_argument("arguments", nargs="*", help="of pytest; the whole of it if not given")
    options = parser.parse_args()
    with scratch_directory() as directory:
        tree = directory / "previous"
        git("worktree", "add", "--quiet", "--detach", str(tree), options.release)
        try:
            return run(tree, options.arguments or ["tests"])
        finally:
            git("worktree", "remove", "--force", str(tree))


def run(tree: Path, arguments: list[str]) -> int:
    without = [f"--ignore={path}" for path in ABOUT_TABLES]
    path = f"{HERE / 'tests/previous'}{os.pathsep}{tree}"
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "newer_tables",
            "-p",
            "no:cacheprovider",
            *without,
            *arguments,
        ],
        cwd=tree,
        env=os.environ | {"PYTHONPATH": path, "ISP_NEWER_TREE": str(HERE)},
        check=False,
    )
    return done.returncode


def git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=HERE, check=True)


if __name__ == "__main__":
    sys.exit(main())
