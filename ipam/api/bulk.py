"""Many addresses given, taken back, kept back and described in one request."""

from collections.abc import Mapping, Sequence
from typing import ClassVar
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ipam.api.addresses import AllocateInput, IpAddressSerializer, ReleaseInput, ReserveInput
from ipam.models import Address
from ipam.services import allocation, release
from ispcore.api.bulk import (
    CREATED,
    MOST,
    UPDATED,
    BulkResultSerializer,
    BulkView,
    BulkWriteInput,
    BulkWriteItem,
    Item,
)
from ispcore.api.fields import ChoiceField
from ispcore.api.views import valid
from subscribers.models import Subscription

OPERATIONS = ("allocate", "release", "reserve", "update")
INPUTS = {"allocate": AllocateInput, "release": ReleaseInput, "reserve": ReserveInput}


class AddressBulkItem(BulkWriteItem):
    operation = ChoiceField(choices=OPERATIONS)


class AddressBulkInput(BulkWriteInput):
    items = serializers.ListField(child=AddressBulkItem(), min_length=1, max_length=MOST)


class AddressBulkView(BulkView):
    """Addresses."""

    model = Address
    input_class = AddressBulkInput
    operations: ClassVar[Mapping[str, str]] = dict.fromkeys(OPERATIONS, "change")

    @extend_schema(
        request=AddressBulkInput,
        responses={200: BulkResultSerializer(many=True)},
        operation_id="ipam_addresses_bulk",
    )
    def post(self, request: Request) -> Response:
        """Allocate, release, reserve and describe up to 1,000 addresses in one call.

        `data` is the body of `POST ipam/allocate`, `ipam/release` or `ipam/reserve`, and for `update` that of
        `PATCH ipam/addresses/{id}`. An address that a service held already counts as `updated`.

        `all_or_nothing`: when an item is refused nothing is changed, and 422 `bulk_refused` names each wrong field
        as `items.3.data.email`. `per_row`: what can be done is done, and the answer tells of each item which it was.
        A record may stand in one item only; an idempotency key is that of the whole.
        """
        return self.run(request)

    def read(self, item: Item) -> None:
        if item.target is not None:
            item.data = valid(IpAddressSerializer(item.target, data=item.data, partial=True))
        else:
            item.data = valid(INPUTS[item.operation](data=item.data))

    def lock(self, items: Sequence[Item]) -> None:
        """The lines, and then the addresses that are named."""
        holders = {item.data.get("subscription_id") for item in items} - {None}
        held = Subscription.objects.filter(pk__in=holders).order_by("pk")
        list(held.select_for_update(of=("self",), no_key=True).values_list("pk"))
        named = [item.target.pk if item.target else item.data.get("address_id") for item in items]
        list(self.rows([pk for pk in named if pk]).values_list("pk"))

    def write(self, item: Item) -> tuple[str, UUID]:
        at = timezone.now()
        if item.operation == "allocate":
            given = allocation.allocate(at=at, user_id=self.user_id, **item.data)
            return (CREATED if given.is_new else UPDATED), given.address.pk
        if item.operation == "release":
            return UPDATED, release.release(at=at, user_id=self.user_id, **item.data).pk
        if item.operation == "reserve":
            row, is_new = release.reserve(at=at, user_id=self.user_id, **item.data)
            return (CREATED if is_new else UPDATED), row.pk
        return UPDATED, release.describe(address_id=item.target.pk, **item.data).pk
