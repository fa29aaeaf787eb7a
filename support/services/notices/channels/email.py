"""E-mail, by the mail server of the installation."""

import smtplib
from datetime import datetime
from email.utils import formataddr

from django.conf import settings
from django.core.mail import EmailMessage, get_connection

from support.services.notices.channels.base import Message, Refused, Uncertain, Unreachable


class Email:
    """One connection to the mail server, opened when first needed."""

    def __init__(self, *, provider: str, reply_to: str) -> None:
        self._from = formataddr((provider, settings.DEFAULT_FROM_EMAIL))
        self._reply_to = [reply_to] if reply_to else None
        self._server = get_connection()

    def send(self, message: Message, *, at: datetime) -> None:
        headers = {
            "Message-ID": f"<notice-{message.key}@{settings.DEFAULT_FROM_EMAIL.rpartition('@')[2]}>",
            "Auto-Submitted": "auto-generated",  # RFC 3834 section 5: nobody's absence note answers it.
        }
        if message.stop_url:
            headers |= {
                "List-Unsubscribe": f"<{message.stop_url}>",  # RFC 2369 section 3.2
                "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",  # RFC 8058 section 3.1
            }
        mail = EmailMessage(
            message.subject,
            message.body,
            from_email=self._from,
            to=[message.address],
            reply_to=self._reply_to,
            headers=headers,
            connection=self._server,
        )
        try:
            self._server.open()
        except (OSError, smtplib.SMTPException) as error:
            raise Unreachable(f"The mail server does not answer: {error}") from error
        try:
            mail.send()
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            raise Refused(_said(error), again=_may_again(min(codes, default=550))) from error
        except smtplib.SMTPResponseException as error:
            raise Refused(_said(error), again=_may_again(error.smtp_code)) from error
        except ValueError as error:
            # No address or no header can be made of it: Django's BadHeaderError, and Unicode's errors.
            raise Refused(f"It cannot be sent to this address: {error}", again=False) from error
        except (OSError, smtplib.SMTPException) as error:
            self.close()
            raise Uncertain(f"The mail server went away: {error}") from error

    def close(self) -> None:
        self._server.close()


def _may_again(code: int) -> bool:
    """RFC 5321 section 4.2.1: 4yz may be tried again, 5yz may not."""
    return code < 500


def _said(error: smtplib.SMTPException) -> str:
    """Return the server's own words."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, said = next(iter(error.recipients.values()))
        return f"{code} {said.decode(errors='replace')}"
    if isinstance(error, smtplib.SMTPResponseException):
        answer = error.smtp_error
        return f"{error.smtp_code} {answer.decode(errors='replace') if isinstance(answer, bytes) else answer}"
    return str(error)
