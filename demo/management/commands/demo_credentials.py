from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from demo import data


class Command(BaseCommand):
    help = "Tell whether the demo's public password still opens an account."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="exit with 1 while it does")

    def handle(self, *args: Any, **options: Any) -> None:
        if not data.password_still_works():
            self.stdout.write("No account opens with the demo's password.")
            return
        message = "The demo's public password still opens an account: change it or switch the account off."
        if options["check"]:
            raise CommandError(message)
        self.stdout.write(message)
