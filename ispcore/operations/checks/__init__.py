"""What `manage.py install_check` looks at: each check a function that asks the real thing and returns findings."""

from collections.abc import Callable, Iterator

from ispcore.operations.checks import (
    broker,
    clocks,
    database,
    mail,
    processes,
    roles,
    secrets,
    storage,
    tables,
    web,
)
from ispcore.operations.checks.finding import Finding, Level, error

__all__ = ["CHECKS", "Finding", "Level", "run"]

Check = Callable[[], list[Finding]]

CHECKS: dict[str, Check] = {
    "database version": database.check_version,
    "database text": database.check_text,
    "database time zones": database.check_time_zones,
    "database roles": roles.check_roles,
    "database pooler": database.check_pooler,
    "migrations": tables.check_migrations,
    "row-level security": tables.check_isolation,
    "partitions": tables.check_partitions,
    "FreeRADIUS rights": roles.check_radius,
    "broker": broker.check_broker,
    "clocks": clocks.check_clocks,
    "secret key": secrets.check_secret_key,
    "encryption keys": secrets.check_encryption_keys,
    "stored secrets": secrets.check_stored_secrets,
    "web settings": web.check_settings,
    "mail": mail.check_mail,
    "workers": processes.check_workers,
    "beat": processes.check_beat,
    "disk": storage.check_disk,
    "archive of the database": storage.check_archive,
}


def run() -> Iterator[tuple[str, Finding]]:
    """Yield (check, finding) for each check in turn; one that breaks is an error and stops no other."""
    for name, check in CHECKS.items():
        try:
            findings = check()
        except Exception as failure:
            text = f"could not be checked: {type(failure).__name__}: {' '.join(str(failure).split())[:300]}"
            findings = [
                error(text, "Mend what is named above or in this message, and start the check again.")
            ]
        for finding in findings:
            yield name, finding
