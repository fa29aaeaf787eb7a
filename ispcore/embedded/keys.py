"""The secrets of one installation, made once and kept in `secrets.env`."""

import base64
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from ispcore.embedded.process import EmbeddedError

FILE_NAME = "secrets.env"


def _password() -> str:
    return secrets.token_urlsafe(32)


def _field_key() -> str:
    return "k1:" + base64.b64encode(secrets.token_bytes(32)).decode()


MAKERS: dict[str, Callable[[], str]] = {
    "SECRET_KEY": lambda: secrets.token_urlsafe(64),
    "FIELD_ENCRYPTION_KEYS": _field_key,
    "RADIUS_SECRET_KEY": _field_key,
    "POSTGRES_PASSWORD": _password,
    "ISP_OWNER_PASSWORD": _password,
    "ISP_APP_PASSWORD": _password,
    "ISP_PLATFORM_PASSWORD": _password,
    "ISP_RADIUS_PASSWORD": _password,
    "VALKEY_PASSWORD": _password,
}


def load_keys(data_dir: Path) -> dict[str, str]:
    """Return the secrets of a data directory, creating those it does not have yet.

    Existing values are never changed: the database password and the field encryption key of stored data
    depend on them. The file is replaced atomically and readable by its owner only.
    Raises EmbeddedError when the file belongs to somebody else or holds a line that is not `NAME=value`.
    """
    path = data_dir / FILE_NAME
    keys = _read(path)
    missing = [name for name in MAKERS if name not in keys]
    if missing:
        keys.update({name: MAKERS[name]() for name in missing})
        _write(path, keys)
    return keys


def _read(path: Path) -> dict[str, str]:
    try:
        text = path.read_text()
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)
    except FileNotFoundError:
        return {}
    except PermissionError as error:
        raise EmbeddedError(
            f"{path} belongs to another user. Run as that user, or set ISP_DATA_DIR to a directory of your "
            "own."
        ) from error
    return parse_env(text, source=str(path))


def parse_env(text: str, *, source: str) -> dict[str, str]:
    """Parse `NAME=value` lines; blank lines and lines that start with # are skipped, quotes are removed.

    Raises EmbeddedError naming the line that is neither.
    """
    values: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        name, equals, value = stripped.partition("=")
        if not equals or not name.strip().isidentifier():
            raise EmbeddedError(f"{source}, line {number}: expected NAME=value.")
        value = value.strip()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        values[name.strip()] = value
    return values


def _write(path: Path, keys: dict[str, str]) -> None:
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write("# Made by ispcore.embedded. Losing this file loses the encrypted columns: back it up.\n")
        file.writelines(f"{name}={value}\n" for name, value in keys.items())
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
