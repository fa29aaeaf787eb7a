from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ispcore.tenants.checks import UnsafeRole, check_role


class Command(BaseCommand):
    help = "Refuse a database role that could see every tenant's rows."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            check_role()
        except UnsafeRole as error:
            raise CommandError(str(error)) from error
        self.stdout.write("The database role is safe.")
