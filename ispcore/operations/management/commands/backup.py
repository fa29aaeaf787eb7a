from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from redis.exceptions import RedisError

from ispcore.environment import read_secret
from ispcore.operations import pulse
from ispcore.operations.backups import BackupError, taking


class Command(BaseCommand):
    help = (
        "Back up the whole database while everything goes on: a dump of one moment and a manifest of what is in it. "
        "Reads DATABASE_OWNER_URL. Keys are not in it: see backup_keys."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--folder", type=Path, default=settings.DATA_DIR / "backups")
        parser.add_argument(
            "--keep", type=int, help="remove all but so many of the newest (default: keep all)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["keep"] is not None and options["keep"] < 1:
            raise CommandError("--keep must be at least 1.")
        try:
            path, made = taking.take_backup(
                owner_url=require_owner_url(),
                folder=options["folder"],
                keep=options["keep"],
                tell=self.stdout.write,
            )
        except (BackupError, OSError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"{path} is whole: {made.rows} rows of {len(made.tables)} tables as of {made.made_at}, {made.size} bytes."
        )
        self.stdout.write(
            "It opens no secret without the keys, which are not in it: `make backup-keys`, once."
        )
        try:
            pulse.note_backup()
        except RedisError as error:
            self.stderr.write(f"Prometheus is not told of it, as Valkey does not answer: {error}")


def require_owner_url() -> str:
    """Return DATABASE_OWNER_URL. Raises CommandError where it is not set."""
    url = read_secret("DATABASE_OWNER_URL")
    if not url:
        raise CommandError(
            "Set DATABASE_OWNER_URL to the role isp_owner: only it sees every provider's rows. "
            "For the servers of `make run` use `make backup` and `make restore`."
        )
    return url
