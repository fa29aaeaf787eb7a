"""A mailbox is emptied message by message: the transaction first, then the message is put away."""

from collections import Counter
from datetime import datetime
from itertools import islice
from uuid import UUID

import structlog
from django.db import InterfaceError, OperationalError

from ispcore.tenants.context import tenant_context
from support.models import MailOutcome
from support.services.mail_in.boxes import Mailbox
from support.services.mail_in.taking import take

log = structlog.get_logger(__name__)

MOST_AT_ONCE = 200


def collect(*, box: Mailbox, tenant_id: UUID, at: datetime) -> Counter[str]:
    """Take in what a tenant's mailbox holds; return how many became what.

    Safe to repeat and to run in parallel: who dies before a message is put away has stored what became of it.
    """
    counted: Counter[str] = Counter()
    for message in islice(box.messages(), MOST_AT_ONCE):
        try:
            with tenant_context(tenant_id):
                outcome = take(message=message, at=at).outcome
        except (InterfaceError, OperationalError):
            raise  # The database is away: so are all the others' chances.
        except Exception:
            # One message nobody foresaw must not keep the others waiting. It stays, and is tried again.
            log.exception("mail_not_taken", tenant_id=str(tenant_id), message=message.id)
            outcome = "failed"
        else:
            (box.refused if outcome == MailOutcome.REFUSED else box.done)(message.id)
        counted[str(outcome)] += 1
    return counted
