import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ispcore.operations.backups.manifest import KEY_SETTINGS


class Command(BaseCommand):
    help = (
        "Write the keys that no backup holds into a file of its own, as lines NAME=value. Keep it apart from the "
        "backups: whoever has both can read every password and key in them."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="the file to write; it must not exist")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"].absolute()
        if (settings.DATA_DIR / "backups").absolute() in path.parents:
            raise CommandError("Keys do not belong beside the backups. Name another folder.")
        missing = [name for name in KEY_SETTINGS if not getattr(settings, name)]
        if missing or not settings.SECRET_KEY_IS_SET:
            raise CommandError(f"Not set here: {', '.join(missing or ['SECRET_KEY'])}.")
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror}. Name a file that does not exist.") from error
        with os.fdopen(descriptor, "w") as file:
            file.writelines(f"{name}={getattr(settings, name)}\n" for name in KEY_SETTINGS)
            file.flush()
            os.fsync(file.fileno())
        self.stdout.write(f"{path} holds {', '.join(KEY_SETTINGS)}. Keep it apart from the backups.")
