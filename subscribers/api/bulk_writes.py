"""Many customers or services made and changed in one request."""

from collections.abc import Sequence
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from ispcore.api.bulk import CREATED, UPDATED, BulkResultSerializer, BulkView, BulkWriteInput, Item
from ispcore.api.views import valid
from subscribers import normal
from subscribers.api.customers import SubscriberSerializer
from subscribers.api.lines import ServiceInput, ServiceUpdateInput
from subscribers.models import Subscriber, Subscription
from subscribers.services import customers, duplicates, lines
from subscribers.services.periods import local_date


class SubscriberBulkView(BulkView):
    """Customers."""

    model = Subscriber
    number_field = "number"

    @extend_schema(
        request=BulkWriteInput,
        responses={200: BulkResultSerializer(many=True)},
        operation_id="subscribers_bulk",
    )
    def post(self, request: Request) -> Response:
        """Create and change up to 1,000 subscribers in one call.

        `data` is the body of `POST subscribers` for `create` and of `PATCH subscribers/{id}` for `update`.

        `all_or_nothing`: when an item is refused nothing is changed, and 422 `bulk_refused` names each wrong field
        as `items.3.data.email`. `per_row`: what can be done is done, and the answer tells of each item which it was.
        A record may stand in one item only; an idempotency key is that of the whole.
        """
        return self.run(request)

    def read(self, item: Item) -> None:
        serializer = (
            SubscriberSerializer(data=item.data)
            if item.target is None
            else SubscriberSerializer(item.target, data=item.data, partial=True)
        )
        item.data = valid(serializer)
        if item.target is not None:
            item.data.pop("status", None)

    def lock(self, items: Sequence[Item]) -> None:
        """As an import does: the rows, and then every claim, before the first number is drawn."""
        list(self.rows([item.target.pk for item in items if item.target]).values_list("pk"))
        duplicates.take_all_turns()

    def write(self, item: Item) -> tuple[str, UUID]:
        if item.target is None:
            return CREATED, customers.create_subscriber(**item.data).pk
        return UPDATED, customers.update_subscriber(subscriber_id=item.target.pk, **item.data).pk


class ServiceBulkView(BulkView):
    """Services."""

    model = Subscription
    number_field = None  # A number is no text here: `criteria` reads it.

    @extend_schema(
        request=BulkWriteInput,
        responses={200: BulkResultSerializer(many=True)},
        operation_id="services_bulk",
    )
    def post(self, request: Request) -> Response:
        """Order and change up to 1,000 services in one call.

        `data` is the body of `POST services` for `create` and of `PATCH services/{id}` for `update`.

        `all_or_nothing`: when an item is refused nothing is changed, and 422 `bulk_refused` names each wrong field
        as `items.3.data.email`. `per_row`: what can be done is done, and the answer tells of each item which it was.
        A record may stand in one item only; an idempotency key is that of the whole.
        """
        return self.run(request)

    def criteria(self, reference: str) -> dict[str, object]:
        number = normal.line_number(reference)
        return super().criteria(reference) if number is None else {"number": number}

    def read(self, item: Item) -> None:
        item.data = valid((ServiceInput if item.target is None else ServiceUpdateInput)(data=item.data))

    def lock(self, items: Sequence[Item]) -> None:
        """The customers, and then their lines."""
        owners = {item.target.subscriber_id if item.target else item.data["customer_id"] for item in items}
        people = Subscriber.objects.filter(pk__in=owners).order_by("pk")
        list(people.select_for_update(of=("self",)).values_list("pk"))
        list(self.rows([item.target.pk for item in items if item.target]).values_list("pk"))

    def write(self, item: Item) -> tuple[str, UUID]:
        if item.target is not None:
            return UPDATED, lines.update_service(subscription_id=item.target.pk, **item.data).pk
        line = lines.create_service(
            subscriber_id=item.data.pop("customer_id"),
            plan_id=item.data.pop("product_id"),
            on=local_date(timezone.now()),
            user_id=self.user_id,
            **item.data,
        )
        return CREATED, line.pk
