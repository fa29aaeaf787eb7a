"""How this provider bills: one record."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.records import today
from billing.models import BillingSettings
from billing.services.charges import settings
from ispcore.api.fields import BooleanField, ChoiceField, HouseSerializer, IntegerField, TextField
from ispcore.api.views import ApiView, etag, refuse_stale, valid
from subscribers.models import HoldReason


class BillingSettingsSerializer(HouseSerializer[BillingSettings]):
    bills_from = serializers.DateField(required=False, help_text="The first day billed here.")
    runs_nightly = BooleanField(required=False)
    approves_within_bounds = BooleanField(required=False)
    bound_percent = IntegerField(required=False, min_value=1, max_value=1000)
    unbilled_holds = serializers.ListField(
        child=ChoiceField(choices=HoldReason.choices), required=False, max_length=len(HoldReason)
    )
    invoice_prefix = TextField(required=False, max_length=8, help_text="Capital letters and digits.")
    credit_note_prefix = TextField(required=False, max_length=8, help_text="Capital letters and digits.")

    class Meta:
        model = BillingSettings
        fields = [
            "bills_from", "runs_nightly", "approves_within_bounds", "bound_percent", "unbilled_holds",
            "invoice_prefix", "credit_note_prefix",
        ]  # fmt: skip


class BillingSettingsView(ApiView):
    """One record per provider."""

    app_label = "billing"
    answers_with_record = True

    @extend_schema(responses=BillingSettingsSerializer, operation_id="billing_settings_retrieve")
    def get(self, request: Request) -> Response:
        """Show how this provider bills."""
        return self._shown(settings.billing_settings(on=today()))

    @extend_schema(
        request=BillingSettingsSerializer,
        responses=BillingSettingsSerializer,
        operation_id="billing_settings_update",
    )
    def patch(self, request: Request) -> Response:
        """Change from when, when and how strictly runs bill, which holds are not billed, and the invoices' numbers."""
        found = settings.lock_settings(on=today())
        refuse_stale(request, _tag(BillingSettingsSerializer(found).data))
        data = valid(BillingSettingsSerializer(found, data=request.data, partial=True))
        return self._shown(settings.change_settings(on=today(), **data))

    def _shown(self, found: BillingSettings) -> Response:
        data = BillingSettingsSerializer(found).data
        return Response(data, headers={"ETag": _tag(data)})


def _tag(shown: Any) -> str:
    # Settings never changed have no row, hence neither a key nor a time: what is seen is the version.
    return etag(BillingSettings(pk=None), shown)
