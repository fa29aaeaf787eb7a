"""The manifest of a backup: what it holds, which keys open it, and by what a restore is compared."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from ispcore.operations.backups import BackupError

FORMAT = 1
NAME = "manifest.json"
KEY_SETTINGS = ("FIELD_ENCRYPTION_KEYS", "RADIUS_SECRET_KEY", "SECRET_KEY")
# Nobody may find a key by guessing and comparing: RFC 7914 section 2, the costs its authors gave for log-ins.
SCRYPT = {"n": 2**14, "r": 8, "p": 1, "dklen": 16}
PIECE = 1024 * 1024


@dataclass(frozen=True)
class Manifest:
    """What `manifest.json` says.

    `keys`: setting, then id of the key, then fingerprint. `tables`: rows by table. `totals`: provider, then name, then
    currency, then amount. `rights`: a digest of owners, grants, policies and triggers. `files`: path, then size and
    SHA-256.
    """

    format: int
    made_at: str
    database: str
    versions: dict[str, str]
    migrations: dict[str, list[str]]
    roles: list[str]
    salt: str
    keys: dict[str, dict[str, str]]
    tables: dict[str, int]
    totals: dict[str, dict[str, dict[str, str]]]
    rights: str
    files: dict[str, dict[str, Any]]

    @property
    def rows(self) -> int:
        return sum(self.tables.values())

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(int(file["bytes"]) for file in self.files.values())


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write it to the disk itself: what comes after may rely on it."""
    with (folder / NAME).open("w") as file:
        json.dump(asdict(manifest), file, indent=1, sort_keys=True)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of a backup. Raises BackupError when there is none that this version reads."""
    path = folder / NAME
    try:
        content = json.loads(path.read_text())
        if content.get("format") != FORMAT:
            raise BackupError(
                f"{path} is of format {content.get('format')}, and this version reads {FORMAT}."
            )
        return Manifest(**content)
    except FileNotFoundError as error:
        raise BackupError(f"{folder} is no backup: it has no {NAME}.") from error
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise BackupError(f"{path} cannot be read: {error}.") from error


def describe_files(folder: Path) -> dict[str, dict[str, Any]]:
    """Return size and SHA-256 of every file of a backup but its manifest."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / NAME)
    return {
        str(path.relative_to(folder)): {"bytes": path.stat().st_size, "sha256": _digest(path)}
        for path in paths
    }


def check_files(folder: Path, manifest: Manifest) -> None:
    """Raise BackupError that names every file which is not as it was written."""
    found = describe_files(folder)
    wrong = [
        *(f"{name} is missing" for name in sorted(manifest.files.keys() - found.keys())),
        *(f"{name} is not part of it" for name in sorted(found.keys() - manifest.files.keys())),
        *(
            f"{name} has changed"
            for name in sorted(found.keys() & manifest.files.keys())
            if found[name] != manifest.files[name]
        ),
    ]
    if wrong:
        raise BackupError(f"{folder} is damaged, so nothing was restored: {'; '.join(wrong)}.")


def fingerprint_keys(salt: str) -> dict[str, dict[str, str]]:
    """Return fingerprints of the keys that this process has, which tell keys apart and give none away."""
    return {
        name: {key_id: _fingerprint(value, salt) for key_id, value in _keys(name).items()}
        for name in KEY_SETTINGS
    }


def check_keys(manifest: Manifest) -> list[str]:
    """Return what a restore has to warn of. Raises BackupError naming the keys that would be missing."""
    here = fingerprint_keys(manifest.salt)
    wrong = [
        f"{setting}: the key {key_id} " + ("is another one" if key_id in here[setting] else "is missing")
        for setting in ("FIELD_ENCRYPTION_KEYS", "RADIUS_SECRET_KEY")
        for key_id, wanted in manifest.keys[setting].items()
        if here[setting].get(key_id) != wanted
    ]
    if wrong:
        raise BackupError(
            "The secrets in this backup would not open with the keys set here, so nothing was restored. "
            f"{'; '.join(wrong)}. Put back the keys that `make backup-keys` wrote (secrets.env, or the environment)."
        )
    if here["SECRET_KEY"] != manifest.keys["SECRET_KEY"]:
        return [
            "SECRET_KEY is another one: everybody has to log in again, and links that were sent do not open."
        ]
    return []


def _keys(setting: str) -> Mapping[str, str]:
    value = str(getattr(settings, setting))
    if setting == "SECRET_KEY":
        return {"": value}
    pairs = (pair.strip().partition(":") for pair in value.split(",") if pair.strip())
    return {key_id: encoded for key_id, _, encoded in pairs}


def _fingerprint(value: str, salt: str) -> str:
    return hashlib.scrypt(value.encode(), salt=bytes.fromhex(salt), **SCRYPT).hex()


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()
