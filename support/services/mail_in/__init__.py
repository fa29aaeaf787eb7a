"""Mail to the helpdesk becomes tickets: from a mailbox, read as what nobody may be trusted with, each message once."""

from support.services.mail_in.boxes import Mailbox, Maildir, Message
from support.services.mail_in.collecting import collect
from support.services.mail_in.taking import take

__all__ = ["Mailbox", "Maildir", "Message", "collect", "take"]
