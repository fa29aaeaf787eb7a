"""The programs of other people that tests drive, and the Debian packages they come from.

Run as `python tests/system_packages.py --install` by `make test`, before anything is installed: standard
library only. Where they cannot be installed, tests/needs.py skips their tests and says why.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

# Program: Debian package.
PACKAGES = {
    "chromium": "chromium",
    "curl": "curl",
    "freeradius": "freeradius",
    "ip": "iproute2",
    "net-snmp-config": "libsnmp-dev",
    "nginx": "nginx",
    "node": "nodejs",
    "npm": "npm",
    "pgbouncer": "pgbouncer",
    "promtool": "prometheus",
    "radclient": "freeradius-utils",
    "snmpbulkwalk": "snmp",
    "snmpget": "snmp",
    "snmpset": "snmp",
    "snmpwalk": "snmp",
}
# Packages that bring a file instead of a program.
FILES = {
    "rlm_sql_postgresql": ("freeradius-postgresql", "/usr/lib/freeradius/rlm_sql_postgresql.so"),
}
# Where daemons lie that an ordinary user's PATH does not have.
SEARCH_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
# invoke-rc.d(8) and deb-systemd-invoke(1p) ask this file before they start a service; 101 forbids it.
POLICY = Path("/usr/sbin/policy-rc.d")
FORBID_SERVICES = "#!/bin/sh\nexit 101\n"
SERVICES = ("freeradius", "nginx", "pgbouncer", "prometheus")


def find(name: str) -> str | None:
    """Return the path of a program or file by its name above, None when it is not installed."""
    if name in FILES:
        path = FILES[name][1]
        return path if Path(path).exists() else None
    return shutil.which(name, path=SEARCH_PATH)


def package_of(name: str) -> str:
    """Return the Debian package that brings a program or file."""
    return FILES[name][0] if name in FILES else PACKAGES[name]


def missing_packages() -> list[str]:
    """Return the Debian packages that are not installed yet."""
    return sorted({package_of(name) for name in (*PACKAGES, *FILES) if find(name) is None})


def install() -> None:
    """Install what is missing where this is Debian and we are root, else say what is missing.

    Safe to repeat. No service of these packages is ever started or enabled: tests run them themselves.
    """
    missing = missing_packages()
    if not missing:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        _say(f"Not installed, so their tests are skipped: {', '.join(missing)}")
        _say(f"    On Debian or Ubuntu: sudo {sys.executable} {__file__} --install")
        return
    _say(f"Installing for the tests: {', '.join(missing)}")
    before = POLICY.read_bytes() if POLICY.exists() else None
    try:
        POLICY.write_text(FORBID_SERVICES)
        POLICY.chmod(0o755)
        _apt_get("update")  # Where it fails, the lists of the last time may still do.
        if not _apt_install(*missing):
            # One package that cannot be had, such as npm beside somebody else's Node.js, takes no other with it.
            failed = [name for name in missing if not _apt_install(name)]
            if failed:
                _say(
                    f"Not installed, so their tests are skipped (and fail under CI=true): {', '.join(failed)}"
                )
    finally:
        _restore(before)
        _disable_services()


def _apt_install(*packages: str) -> bool:
    return _apt_get("install", "--no-install-recommends", *packages)


def _apt_get(command: str, *arguments: str) -> bool:
    result = subprocess.run(
        ["apt-get", "-q", "-y", command, *arguments],
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        _say(f"{result.stdout[-2000:]}\napt-get {command} failed with status {result.returncode}.")
    return result.returncode == 0


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _restore(before: bytes | None) -> None:
    if before is None:
        POLICY.unlink(missing_ok=True)
    else:
        POLICY.write_bytes(before)


def _disable_services() -> None:
    """Keep the next boot from starting what was installed for the tests only."""
    if shutil.which("systemctl"):
        subprocess.run(["systemctl", "disable", *SERVICES], capture_output=True, check=False)


if __name__ == "__main__":
    if sys.argv[1:] != ["--install"]:
        sys.exit("usage: system_packages.py --install")
    install()
