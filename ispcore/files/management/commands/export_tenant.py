import os
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from ispcore import audit
from ispcore.errors import DomainError
from ispcore.files.tenant_export import commands, writing
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant


class Command(BaseCommand):
    help = (
        "Write all data of one provider into a file, for restore_tenant. Secrets (RADIUS passwords, communities, keys "
        "of gateways) are left out, or sealed with a passphrase."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="the provider's short name")
        parser.add_argument("file", type=Path, help="the ZIP file to write; it must not exist")
        commands.add_passphrase(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        tenant = Tenant.objects.filter(slug=options["slug"]).first()
        if tenant is None:
            raise CommandError(f"There is no provider {options['slug']}.")
        path: Path = options["file"]
        if path.exists():
            raise CommandError(f"{path} exists. Name another file, or remove it.")
        passphrase = commands.read_passphrase(options)
        # Under another name until it is whole: half a file never looks like one.
        part = path.with_name(f"{path.name}.part")
        try:
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as stream:
                made = writing.write(
                    stream, tenant, at=timezone.now(), passphrase=passphrase, progress=self._tell(options)
                )
                stream.flush()
                os.fsync(stream.fileno())
            part.replace(path)
        except (DomainError, OSError) as error:
            raise CommandError(str(error)) from error
        with tenant_context(tenant.pk):
            audit.record(
                action="exported all data", detail="by a command", user_id=None, ip=None, request_id=""
            )
        commands.show(self.stdout, made)
        self.stdout.write(f"{path} is whole: {path.stat().st_size} bytes.")

    def _tell(self, options: dict[str, Any]) -> writing.Progress:
        def tell(done: int, total: int, message: str) -> None:
            if options["verbosity"] > 1:
                self.stdout.write(f"{done}/{total} {message}")

        return tell
