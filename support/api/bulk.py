"""Many tickets opened and changed in one request."""

from collections.abc import Sequence
from uuid import UUID

from django.db.models import Q
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from ispcore.api.bulk import CREATED, UPDATED, BulkResultSerializer, BulkView, BulkWriteInput, Item
from ispcore.api.views import valid
from subscribers.models import Subscriber
from support.api.tickets import TicketChange, TicketInput
from support.models import Source, Ticket
from support.services import tickets


class TicketBulkView(BulkView):
    """Tickets."""

    model = Ticket
    number_field = "number"

    @extend_schema(
        request=BulkWriteInput,
        responses={200: BulkResultSerializer(many=True)},
        operation_id="support_tickets_bulk",
    )
    def post(self, request: Request) -> Response:
        """Open and change up to 1,000 tickets in one call.

        `data` is the body of `POST support/tickets` for `create` and of `PATCH support/tickets/{id}` for `update`.

        `all_or_nothing`: when an item is refused nothing is changed, and 422 `bulk_refused` names each wrong field
        as `items.3.data.email`. `per_row`: what can be done is done, and the answer tells of each item which it was.
        A record may stand in one item only; an idempotency key is that of the whole.
        """
        return self.run(request)

    def read(self, item: Item) -> None:
        item.data = valid((TicketInput if item.target is None else TicketChange)(data=item.data))

    def lock(self, items: Sequence[Item]) -> None:
        """The customers, and then their tickets."""
        new = [item.data for item in items if item.target is None]
        asking = Q(pk__in={each["subscriber_id"] for each in new if each.get("subscriber_id")})
        asking |= Q(subscriptions__pk__in={each["service_id"] for each in new if each.get("service_id")})
        people = Subscriber.objects.filter(pk__in=Subscriber.objects.filter(asking).values("pk")).order_by(
            "pk"
        )
        list(people.select_for_update(of=("self",)).values_list("pk"))
        list(self.rows([item.target.pk for item in items if item.target]).values_list("pk"))

    def write(self, item: Item) -> tuple[str, UUID]:
        at = timezone.now()
        if item.target is not None:
            changed = tickets.change_ticket(
                ticket_id=item.target.pk, at=at, user_id=self.user_id, **item.data
            )
            return UPDATED, changed.pk
        opened = tickets.open_ticket(
            subscription_id=item.data.pop("service_id", None),
            at=at,
            user_id=self.user_id,
            source=Source.STAFF if self.user_id else Source.API,
            **item.data,
        )
        return CREATED, opened.pk
