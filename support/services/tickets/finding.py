"""Looking tickets up by what people have at hand: a number, or a customer."""

import re

from django.db.models import QuerySet

from subscribers.models import Subscriber
from subscribers.services.customers import search_subscribers
from support.models import Ticket
from support.services.tickets.opening import NUMBER

NUMBERED = re.compile(r"(?:TKT-|#)?([0-9]{1,12})", re.IGNORECASE)
FEW = 2000


def search_tickets(rows: QuerySet[Ticket], text: str) -> QuerySet[Ticket]:
    """Narrow tickets to the one with a number, written TKT-000184, #184 or 184, or to those of customers.

    Where no ticket has the number, and of all other texts, each word must begin a word of the customer's.
    """
    if written := NUMBERED.fullmatch(text.strip()):
        numbered = rows.filter(number=NUMBER.format(int(written[1])))
        if numbered.exists():
            return numbered
    people = search_subscribers(Subscriber.objects.order_by(), text)
    # Few customers' tickets are read from the index at once; many customers' are soon met among the newest.
    few = list(people.values_list("pk", flat=True)[: FEW + 1])
    return rows.filter(subscriber__in=few) if len(few) <= FEW else rows.filter(subscriber__in=people)
