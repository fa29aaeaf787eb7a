from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ispcore.operations.backups import BackupError, restoring
from ispcore.operations.management.commands.backup import require_owner_url


class Command(BaseCommand):
    help = (
        "Restore a backup into the empty database that DATABASE_OWNER_URL names, and compare rows, totals and rights "
        "with its manifest. Nothing is written before files and keys were checked; stop everything first."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("backup", type=Path, help="the backup's folder")
        parser.add_argument("--check", action="store_true", help="only look whether it could be restored")
        parser.add_argument(
            "--replace", action="store_true", help="take the place of a database that is not empty"
        )
        parser.add_argument(
            "--without-keys", action="store_true", help="restore although its secrets will not open"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        folder: Path = options["backup"]
        try:
            if options["check"]:
                found, warnings = restoring.check_backup(folder, without_keys=options["without_keys"])
                self.stdout.write(
                    f"{folder} is whole: {found.rows} rows as of {found.made_at}. Its keys are here."
                )
            else:
                done = restoring.restore_backup(
                    owner_url=require_owner_url(),
                    folder=folder,
                    replace=options["replace"],
                    without_keys=options["without_keys"],
                    tell=self.stdout.write,
                )
                warnings = done.warnings
                self._tell(done)
        except (BackupError, OSError) as error:
            raise CommandError(str(error)) from error
        for warning in warnings:
            self.stdout.write(f"Note: {warning}")

    def _tell(self, done: restoring.Restored) -> None:
        found = done.manifest
        self.stdout.write(
            f"Restored: {found.rows} rows of {len(found.tables)} tables, the totals of {len(found.totals)} providers, "
            "and all rights are as in the manifest."
        )
        if done.set_aside:
            self.stdout.write(
                f"The database that was there is kept as {done.set_aside}. When you are sure: "
                f'DROP DATABASE "{done.set_aside}".'
            )
        self.stdout.write(
            f'Everything is as it was at {found.made_at}. docs/backups.md says, under "After a restore", what to do '
            "before web, workers and beat start again."
        )
