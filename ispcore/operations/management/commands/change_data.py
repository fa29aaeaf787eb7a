from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ispcore import data_changes
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant


class Command(BaseCommand):
    help = "Start the changes of data that this release brings, for each provider that has rows left."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", nargs="?", help="one data change; all of them if not given")
        parser.add_argument(
            "--check", action="store_true", help="start nothing; exit code 1 while rows are left"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            name = options["name"]
            changes = [data_changes.find_change(name)] if name else data_changes.all_changes()
        except data_changes.UnknownDataChange as error:
            raise CommandError(str(error)) from error
        left = [change.name for change in changes if self._has_left(change, start=not options["check"])]
        if not left:
            self.stdout.write("No rows are left to change.")
        elif options["check"]:
            raise CommandError(f"Rows are left to change: {', '.join(left)}.")

    def _has_left(self, change: data_changes.DataChange, *, start: bool) -> bool:
        """Say for which tenants a data change has rows left, those that are switched off among them."""
        found = False
        for tenant_id, slug in list(Tenant.objects.order_by("slug").values_list("pk", "slug")):
            with tenant_context(tenant_id):
                if not change.left().exists():
                    continue
                what = f"job {data_changes.start(change).pk}" if start else "has rows left"
            self.stdout.write(f"{change.name}: {slug}: {what}")
            found = True
        return found
