"""Whether there is room, and the database's changes are kept where they can be restored from."""

import shutil

from django.conf import settings

from ispcore.operations.checks.database import fetch
from ispcore.operations.checks.finding import Finding, error, ok, warning

ERROR_BELOW, WARNING_BELOW = 0.05, 0.15
ARCHIVER_SQL = """
SELECT last_archived_time, last_failed_wal, last_failed_time FROM pg_stat_archiver
WHERE last_failed_time > coalesce(last_archived_time, '-infinity')
"""


def check_disk() -> list[Finding]:
    """Find a full disk under ISP_DATA_DIR; PostgreSQL's own machine is watched by its own exporter."""
    directory = settings.DATA_DIR
    if not directory.exists():
        return [
            warning(
                f"{directory} does not exist.", "Make it, for the user of the processes, or set ISP_DATA_DIR."
            )
        ]
    usage = shutil.disk_usage(directory)
    share = usage.free / usage.total
    text = f"{share:.0%} ({usage.free / 1e9:.0f} GB) of the disk under {directory} is free"
    do = "Make room or a larger disk; old logs first."
    if share < ERROR_BELOW:
        return [error(f"Only {text}.", do)]
    return [warning(f"Only {text}.", do)] if share < WARNING_BELOW else [ok(text)]


def check_archive() -> list[Finding]:
    """Find an archive of the write-ahead log that is off, or that fails."""
    ((mode,),) = fetch("SHOW archive_mode")
    if mode == "off":
        return [
            warning(
                "The write-ahead log is not archived: what was written since the last backup would be lost.",
                "Set archive_mode and archive_command or pgBackRest up as docs/backups.md shows.",
            )
        ]
    failed = fetch(ARCHIVER_SQL)
    if failed:
        archived, name, at = failed[0]
        return [
            error(
                f"Archiving {name} failed at {at:%Y-%m-%d %H:%M} UTC; the last that went well was at {archived}.",
                "Look at PostgreSQL's log for archive_command; its disk fills up until it works again.",
            )
        ]
    return [ok("the write-ahead log is archived")]
