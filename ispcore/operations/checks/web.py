"""Whether browsers reach the installation under a safe address, and Django's own checks pass."""

from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks
from django.http.request import validate_host

from ispcore.operations.checks.finding import Finding, error, ok, warning

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def check_settings() -> list[Finding]:
    """Find settings under which links lead nowhere, cookies travel in the open, or strangers see the inside."""
    findings = _check_address()
    if settings.DEBUG:
        findings.append(
            error("DEBUG is on: errors show the inside to anybody.", "Take DEBUG out of the environment.")
        )
    if "*" in settings.ALLOWED_HOSTS:
        findings.append(
            error(
                "ALLOWED_HOSTS takes any name, so links in mails can be forged.",
                "List the names browsers use.",
            )
        )
    for message in checks.run_checks(include_deployment_checks=settings.PUBLIC_URL.startswith("https")):
        if message.is_silenced() or message.level < checks.WARNING:
            continue
        make = error if message.level >= checks.ERROR else warning
        first = message.msg.splitlines()[0]
        findings.append(
            make(f"{message.id}: {first}", message.hint or "See Django's documentation of this check.")
        )
    return findings or [ok(f"{settings.PUBLIC_URL}, with HTTPS-only cookies")]


def _check_address() -> list[Finding]:
    url = urlsplit(settings.PUBLIC_URL)
    host = url.hostname or ""
    findings = []
    if not validate_host(host if ":" not in host else f"[{host}]", settings.ALLOWED_HOSTS):
        findings.append(
            error(
                f"PUBLIC_URL leads to {host or 'nowhere'}, which ALLOWED_HOSTS refuses.",
                f"Add {host or 'the name'} to ALLOWED_HOSTS.",
            )
        )
    if url.scheme != "https":
        do = "Put a proxy with TLS in front (deploy/nginx) and set PUBLIC_URL=https://…"
        if host in LOOPBACK:
            findings.append(
                warning("PUBLIC_URL is this machine alone: nobody else can follow a link in a mail.", do)
            )
        else:
            findings.append(
                error("PUBLIC_URL is not HTTPS: passwords and cookies can be read on the way.", do)
            )
    elif not settings.SESSION_COOKIE_SECURE:
        findings.append(error("Cookies would also be sent without HTTPS.", "Set SECURE_COOKIES=1."))
    return findings
