from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ispcore.auth import authenticators
from ispcore.tenants.models import User


class Command(BaseCommand):
    help = "Forget the authenticator app of somebody who lost it and their recovery codes."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", help="The log-in name.")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(email=options["email"].strip().lower()).first()
        if user is None:
            raise CommandError("Nobody has this e-mail address.")
        authenticators.turn_off(user=user)
        self.stdout.write(f"{user.email} logs in with the password alone.")
