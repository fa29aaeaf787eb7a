from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from demo import data
from ispcore.tenants.models import Tenant


class Command(BaseCommand):
    help = "Fill an empty database with the demo's two providers; do nothing when there is a tenant."

    def handle(self, *args: Any, **options: Any) -> None:
        if Tenant.objects.exclude(slug__in=data.TENANTS).exists():
            self.stdout.write("There are tenants already: the demo was not loaded.")
            return
        data.load(at=timezone.now())
        self.stdout.write("The demo's tenants are in place.")
