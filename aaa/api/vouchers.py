from typing import Any, ClassVar

import django_filters
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from aaa.api.records import NO_STORE, BytesField
from aaa.models import Voucher, VoucherBatch, VoucherState
from aaa.models.fields import LONGEST_TEXT
from aaa.services import vouchers
from ispcore.api.fields import HouseSerializer, IdField, IntegerField, StrictSerializer, TextField
from ispcore.api.filters import HouseFilterSet
from ispcore.api.request import caller_of
from ispcore.api.views import ApiView, RecordViewSet, valid
from ispcore.jobs.api import TaskSerializer, accepted
from ispcore.vouchers.api import (
    PRINT_WAIT_SECONDS,
    BatchViewSet,
    PrefixField,
    RevokedSerializer,
    VoucherBatchMadeSerializer,
)
from ispcore.vouchers.codes import MOST_VOUCHERS

MAX_MINUTES = 366 * 24 * 60


class VoucherBatchSerializer(HouseSerializer[VoucherBatch]):
    service_id = IdField(source="service_profile_id", help_text="The RADIUS service, of `aaa/services`.")
    profile_id = IdField(source="policy_id", required=False, allow_null=True, help_text="Of `aaa/policies`.")
    quantity = IntegerField(min_value=1, max_value=MOST_VOUCHERS)
    prefix = PrefixField()
    valid_minutes = IntegerField(required=False, allow_null=True, min_value=1, max_value=MAX_MINUTES)
    data_bytes = BytesField(required=False, allow_null=True)
    use_before = serializers.DateTimeField(required=False, allow_null=True)
    sheet_id = serializers.UUIDField(
        read_only=True,
        allow_null=True,
        help_text="The PDF, of `files`; null while it is made, and once it is deleted.",
    )
    unused = serializers.IntegerField(read_only=True)
    used = serializers.IntegerField(read_only=True)
    revoked = serializers.IntegerField(read_only=True)

    class Meta:
        model = VoucherBatch
        fields = [
            "id", "name", "quantity", "prefix", "service_id", "profile_id", "valid_minutes", "data_bytes",
            "use_before", "sheet_id", "unused", "used", "revoked", "created_at", "updated_at",
        ]  # fmt: skip


class VoucherBatchFilter(HouseFilterSet):
    class Meta:
        model = VoucherBatch
        fields = {"name": ["exact"], "created_at": ["gte", "lte"]}


class VoucherBatchViewSet(BatchViewSet):
    """Vouchers that were made together."""

    model = VoucherBatch
    serializer_class = VoucherBatchSerializer
    filterset_class = VoucherBatchFilter
    used_states = (VoucherState.ACTIVE, VoucherState.USED_UP)

    @extend_schema(
        request=VoucherBatchSerializer, responses={200: VoucherBatchMadeSerializer, 202: TaskSerializer}
    )
    def create(self, request: Request) -> Response:
        """Make a batch of vouchers and the sheet to print. The codes are on the sheet and nowhere else.

        The answer waits up to 20 seconds (`Prefer: wait=N`) and is 202 with the task when it takes longer.
        """
        _, job = vouchers.create_batch(user_id=caller_of(request._request).user_id, **self.input_of_new())
        return accepted(request, job, default_wait=PRINT_WAIT_SECONDS)

    def destroy(self, request: Request, pk: str) -> Response:
        """Remove a batch none of whose vouchers was used."""
        vouchers.remove_batch(batch_id=self.get_object().pk)
        return Response(status=204)

    @extend_schema(request=None, responses=RevokedSerializer)
    @action(detail=True, methods=["post"])
    def revoke(self, request: Request, pk: str) -> Response:
        """Make the batch's unused vouchers worthless. Repeating it changes nothing."""
        count = vouchers.revoke_batch(batch_id=self.get_object().pk, at=timezone.now())
        return Response({"revoked": count})


class VoucherSerializer(HouseSerializer[Voucher]):
    batch_id = serializers.UUIDField(read_only=True)
    account_id = serializers.UUIDField(read_only=True, allow_null=True)
    code_begins = serializers.CharField(
        source="shown", read_only=True, help_text="The rest is kept as a hash."
    )

    class Meta:
        model = Voucher
        fields = ["id", "batch_id", "code_begins", "state", "account_id", "used_at", "ends_at", "created_at"]
        read_only_fields = fields


class VoucherFilter(HouseFilterSet):
    batch_id = django_filters.UUIDFilter(field_name="batch_id")
    account_id = django_filters.UUIDFilter(field_name="account_id")
    state = django_filters.ChoiceFilter(choices=VoucherState.choices)

    class Meta:
        model = Voucher
        fields = {"created_at": ["gte", "lte"]}


class VoucherViewSet(RecordViewSet):
    """Codes that are a log-in once."""

    model = Voucher
    serializer_class = VoucherSerializer
    filterset_class = VoucherFilter
    ordering_fields = ("created_at", "used_at")
    verbs: ClassVar[dict[str, str]] = {"revoke": "change"}

    @extend_schema(request=None, responses=VoucherSerializer)
    @action(detail=True, methods=["post"])
    def revoke(self, request: Request, pk: str) -> Response:
        """Make an unused voucher worthless. Repeating it changes nothing."""
        return self.show_changed(vouchers.revoke_voucher(voucher_id=self.get_object().pk))


class RedeemInput(StrictSerializer):
    code = TextField(max_length=40, help_text="As printed; case, spaces and hyphens make no difference.")
    calling_station_id = TextField(
        required=False, allow_blank=True, max_length=LONGEST_TEXT, help_text="The device it is bound to."
    )


class RedeemedSerializer(serializers.Serializer[Any]):
    account_id = serializers.UUIDField()
    username = serializers.CharField(help_text="What the hotspot sends; the password is the same.")
    password = serializers.CharField()
    expire = serializers.DateTimeField(allow_null=True)
    data_bytes = serializers.IntegerField(allow_null=True)


class RedeemView(ApiView):
    """A voucher's first use, as a hotspot's portal asks for it."""

    app_label = "aaa"
    verbs: ClassVar[dict[str, str]] = {"post": "manage"}

    @extend_schema(request=RedeemInput, responses=RedeemedSerializer, operation_id="aaa_vouchers_redeem")
    def post(self, request: Request) -> Response:
        """Turn a voucher into an account that runs from now on: once, whoever else asks at the same moment.

        404 `voucher_unknown`, 409 `voucher_used` with the time of its first use, 409 `voucher_over`.
        """
        data = valid(RedeemInput(data=request.data))
        account = vouchers.redeem(
            code=data["code"], station=data.get("calling_station_id", ""), at=timezone.now()
        )
        return Response(
            {
                "account_id": account.pk,
                "username": account.username,
                "password": account.username,
                "expire": account.expires_at,
                "data_bytes": account.cap_bytes,
            },
            headers=NO_STORE,
        )
