"""Whether the mail server takes mail from us."""

import smtplib
import ssl

from django.conf import settings
from django.core.mail import get_connection

from ispcore.operations.checks.finding import Finding, error, ok, warning

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def check_mail() -> list[Finding]:
    """Greet the mail server as the workers do, with TLS and log-in where set; nothing is sent."""
    if settings.EMAIL_FILE_PATH:
        return [
            warning(
                f"Mails are put into {settings.EMAIL_FILE_PATH} and reach nobody.",
                "Set EMAIL_HOST and take EMAIL_FILE_PATH out.",
            )
        ]
    where = f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}"
    server = get_connection()
    try:
        server.open()
    except smtplib.SMTPAuthenticationError as failure:
        said = (
            str(failure.smtp_error, "utf-8", "replace")
            if isinstance(failure.smtp_error, bytes)
            else failure.smtp_error
        )
        return [
            error(f"{where} refuses the log-in: {said}", "Correct EMAIL_HOST_USER and EMAIL_HOST_PASSWORD.")
        ]
    except ssl.SSLError as failure:
        return [
            error(
                f"{where} has no certificate that we trust: {failure.reason or failure}",
                "Give it one for the name in EMAIL_HOST, from an authority this machine knows.",
            )
        ]
    except smtplib.SMTPNotSupportedError as failure:
        return [
            error(
                f"{where} cannot do what is set: {failure}",
                "Take EMAIL_USE_TLS or EMAIL_HOST_USER out, or use its submission port, 587.",
            )
        ]
    except (OSError, smtplib.SMTPException) as failure:
        return [
            error(
                f"{where} does not answer as a mail server: {failure}", "Correct EMAIL_HOST and EMAIL_PORT."
            )
        ]
    finally:
        server.close()
    if not settings.EMAIL_USE_TLS and settings.EMAIL_HOST not in LOOPBACK:
        return [warning(f"Mail goes to {where} in the open.", "Set EMAIL_USE_TLS=1.")]
    return [ok(f"{where} greets us" + (" and lets us in" if settings.EMAIL_HOST_USER else ""))]
