from typing import Any
from urllib.parse import unquote, urlsplit

from django.core.management.base import BaseCommand, CommandError

from ispcore.embedded import EmbeddedError, roles
from ispcore.embedded.servers import describe_roles
from ispcore.environment import read_secret

URLS = {
    roles.OWNER: "DATABASE_OWNER_URL",
    roles.APP: "DATABASE_URL",
    roles.PLATFORM: "DATABASE_PLATFORM_URL",
    roles.RADIUS: "RADIUS_DATABASE_URL",
}


class Command(BaseCommand):
    help = (
        "Create the database and its four roles where they are missing, as DATABASE_ADMIN_URL, and bring their rights "
        "back to what they have to be. The passwords are those in each role's own URL. Safe to repeat."
    )
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        admin_url = read_secret("DATABASE_ADMIN_URL")
        if not admin_url:
            raise CommandError("Set DATABASE_ADMIN_URL to the address of a superuser of the server.")
        passwords = {role: _password(role, name) for role, name in URLS.items()}
        database = unquote(urlsplit(read_secret("DATABASE_URL")).path.lstrip("/"))
        if not database:
            raise CommandError("DATABASE_URL names no database: end it with /ispcore, for instance.")
        try:
            describe_roles(admin_url, database, passwords, ours=False)
        except EmbeddedError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"The database {database} and its roles are in place.")


def _password(role: str, name: str) -> str:
    """Return the password in a role's own URL. Raises CommandError for another role's and for none."""
    parts = urlsplit(read_secret(name))
    if parts.username != role or not parts.password:
        raise CommandError(f"Set {name} to the address of the role {role}, with its password.")
    return unquote(parts.password)
