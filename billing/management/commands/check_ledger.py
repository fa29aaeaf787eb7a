from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing.services import ledger
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant


class Command(BaseCommand):
    help = (
        "Recount everything of billing that must add up: balances, open amounts, allocations, bookings, numbers, "
        "periods. Prints what does not, and exits with 1 when something does not."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", help="slug of one provider (default: all that have billed anybody)")

    def handle(self, *args: Any, **options: Any) -> None:
        tenants = Tenant.objects.using("platform").order_by("slug")
        if options["tenant"]:
            tenants = tenants.filter(slug=options["tenant"])
            if not tenants.exists():
                raise CommandError(f"There is no provider {options['tenant']}.")
        else:
            tenants = tenants.filter(pk__in=ledger.tenants_with_invoices())
        wrong = 0
        for tenant in tenants:
            with tenant_context(tenant.pk):
                found = ledger.recount()
            wrong += len(found)
            for each in found:
                self.stdout.write(f"{tenant.slug}: {each.invariant.label}: {each.record}: {each.detail}")
            self.stdout.write(f"{tenant.slug}: " + (f"{len(found)} findings" if found else "all adds up"))
        if wrong:
            raise SystemExit(1)
