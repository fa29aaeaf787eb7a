"""Mail to a helpdesk, as a mail server leaves it in a Maildir."""

from email.message import EmailMessage
from mailbox import Maildir as Folder
from pathlib import Path
from typing import Any

from support.models import IncomingMail
from support.services import mail_in
from support.services.mail_in.boxes import Message
from tests.support.desk import MONDAY


def letter(
    text: str = "It is slow.\n",
    *,
    sender: str = "Jane Doe <jane@customer.example>",
    subject: str = "Slow",
    html: str = "",
    files: tuple[tuple[str, str, bytes], ...] = (),
    **headers: str,
) -> EmailMessage:
    """A message; headers are named as in Python, `in_reply_to` is In-Reply-To. Files are name, media type, content."""
    message = EmailMessage()
    given = {"From": sender, "To": "help@isp.example", "Subject": subject}
    given |= {name.replace("_", "-").title(): value for name, value in headers.items()}
    for name, value in given.items():
        message[name] = value
    message.set_content(text)
    if html:
        message.add_alternative(html, subtype="html")
    for name, media_type, content in files:
        maintype, subtype = media_type.split("/")
        message.add_attachment(content, maintype=maintype, subtype=subtype, filename=name)
    return message


def deliver(folder: Path, message: Any) -> str:
    """Leave a message in a Maildir, as its deliverer does: written aside, then renamed into place."""
    for place in ("tmp", "new", "cur"):
        (folder / place).mkdir(parents=True, exist_ok=True)
    raw = message if isinstance(message, bytes) else message.as_bytes()
    return Folder(folder).add(raw)


def take(message: Any, *, at: Any = MONDAY) -> IncomingMail:
    raw = message if isinstance(message, bytes) else message.as_bytes()
    return mail_in.take(message=Message("1", raw), at=at)


def held(folder: Path) -> dict[str, int]:
    """Count what is in the inbox, and in the folders behind it."""
    box = Folder(folder)
    return {"inbox": len(box)} | {name: len(box.get_folder(name)) for name in sorted(box.list_folders())}
