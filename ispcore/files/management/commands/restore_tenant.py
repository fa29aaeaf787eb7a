from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ispcore.errors import DomainError
from ispcore.files.tenant_export import commands, restoring

MOST_NAMED = 20


class Command(BaseCommand):
    help = (
        "Restore one provider from a file of export_tenant into a migrated installation that does not have it, all or "
        "nothing, and compare every table and total. DATABASE_URL must name the owner of the tables, isp_owner. The "
        "provider comes switched off."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        commands.add_passphrase(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            done = restoring.restore(
                options["file"], passphrase=commands.read_passphrase(options), tell=self._tell(options)
            )
        except DomainError as refusal:
            raise CommandError(str(refusal)) from refusal
        commands.show(self.stdout, {**done.manifest, "totals": done.totals})
        self.stdout.write("Every table and total is as in the file.")
        if done.known_people:
            more = len(done.known_people) - MOST_NAMED
            self.stdout.write(
                f"These people had an account here, which they keep: {', '.join(done.known_people[:MOST_NAMED])}"
                + (f" and {more} more." if more > 0 else ".")
            )
        if done.new_people:
            self.stdout.write(
                f"{done.new_people} accounts have no password yet: single sign-on, or `manage.py changepassword`."
            )
        commands.show_missing_secrets(self.stdout, done.manifest)
        self.stdout.write(
            "The provider is switched off. Look at it, then switch it on in the admin under Tenants."
        )

    def _tell(self, options: dict[str, Any]) -> restoring.Tell:
        return lambda message: self.stdout.write(message) if options["verbosity"] > 1 else None
