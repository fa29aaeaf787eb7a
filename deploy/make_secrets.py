#!/usr/bin/env python3
"""Make the secrets of a new installation, each a file that only its reader may read.

Needs Python 3.11 and nothing else. What is there already is kept, so it may be run again. Keep a copy apart from the
database's backups: without field_encryption_keys and radius_secret_key a backup has lost its secret columns.
"""

import argparse
import base64
import os
import secrets
from pathlib import Path

# Who reads it in the containers: the application, PostgreSQL's image and Valkey's.
APPLICATION, SERVERS = 10001, 999
ROLES = {
    "database_url": "isp_app",
    "database_platform_url": "isp_platform",
    "database_owner_url": "isp_owner",
    "radius_database_url": "isp_radius",
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--directory", type=Path, default=Path(__file__).parent / "secrets")
    parser.add_argument("--database-host", default="postgresql", help="with :PORT where it is not 5432")
    parser.add_argument("--database", default="ispcore")
    parser.add_argument("--valkey-host", default="valkey", help="with :PORT where it is not 6379")
    parser.add_argument("--uid", type=int, default=APPLICATION, help="who runs ISPCore (as root only)")
    given = parser.parse_args()
    given.directory.mkdir(parents=True, exist_ok=True)
    given.directory.chmod(0o711)
    make(
        given.directory,
        host=given.database_host,
        database=given.database,
        valkey=given.valkey_host,
        uid=given.uid,
    )


def make(directory: Path, *, host: str, database: str, valkey: str, uid: int) -> None:
    """Write each file that is missing. The addresses are made of what the files with passwords hold."""

    def write(name: str, value: str, reader: int = uid) -> str:
        path = directory / name
        if not path.exists():
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400), "w") as file:
                file.write(value + "\n" if value else "")
            if os.geteuid() == 0:
                os.chown(path, reader, reader)
        return path.read_text().strip()

    write("secret_key", secrets.token_urlsafe(64))
    write("field_encryption_keys", new_key())
    write("radius_secret_key", new_key())
    write("metrics_token", secrets.token_urlsafe(32))
    for name, role in ROLES.items():
        write(name, f"postgresql://{role}:{secrets.token_urlsafe(32)}@{host}/{database}")
    admin = write("postgres_password", secrets.token_urlsafe(32), SERVERS)
    write("database_admin_url", f"postgresql://postgres:{admin}@{host}/postgres")
    password = write("valkey_password", f"requirepass {secrets.token_urlsafe(32)}", SERVERS).removeprefix(
        "requirepass "
    )
    write("redis_url", f"redis://:{password}@{valkey}/0")
    # For whoever installs it to fill: the mail account's password, and what `manage.py radius_env` prints.
    write("email_host_password", "")
    write("radius.env", "")


def new_key() -> str:
    return "k1:" + base64.b64encode(secrets.token_bytes(32)).decode()


if __name__ == "__main__":
    main()
