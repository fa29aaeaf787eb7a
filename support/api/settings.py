"""How this helpdesk works: one record."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ispcore.api.fields import ChoiceField, HouseSerializer, IdField, IntegerField, TextField
from ispcore.api.views import ApiView, etag, refuse_stale, valid
from support.models import OutageEnd, SupportSettings
from support.models.desk import MOST_DAYS, MOST_HOURS
from support.services import settings


class SupportSettingsSerializer(HouseSerializer[SupportSettings]):
    zone_limit = IntegerField(
        required=False, min_value=0, max_value=1000, help_text="Open tickets a zone takes."
    )
    due_days = IntegerField(required=False, min_value=1, max_value=MOST_DAYS, help_text="Business days.")
    opening_hours = serializers.ListField(
        child=TextField(allow_blank=True, max_length=11),
        required=False,
        min_length=7,
        max_length=7,
        help_text="Monday to Sunday, such as 09:00-18:00; empty for a day off.",
    )
    country = TextField(
        required=False, allow_blank=True, max_length=2, help_text="ISO 3166: whose holidays are days off."
    )
    subdivision = TextField(required=False, allow_blank=True, max_length=10)
    escalate_after_hours = IntegerField(required=False, min_value=1, max_value=MOST_HOURS)
    auto_close_days = IntegerField(required=False, min_value=1, max_value=365)
    outage_end = ChoiceField(choices=OutageEnd.choices, required=False)
    mail_subject_id = IdField(
        required=False,
        allow_null=True,
        help_text="Subject of tickets that come by e-mail; null: mail only answers tickets that are open.",
    )

    class Meta:
        model = SupportSettings
        fields = [
            "zone_limit", "due_days", "opening_hours", "country", "subdivision", "escalate_after_hours",
            "auto_close_days", "outage_end", "mail_subject_id",
        ]  # fmt: skip


class SupportSettingsView(ApiView):
    """One record per provider."""

    app_label = "support"
    verbs = {"patch": "delete"}  # Who runs the desk, and not all who work at it.
    answers_with_record = True

    @extend_schema(responses=SupportSettingsSerializer, operation_id="support_settings_retrieve")
    def get(self, request: Request) -> Response:
        """Show how this helpdesk works."""
        return self._shown(settings.support_settings())

    @extend_schema(
        request=SupportSettingsSerializer,
        responses=SupportSettingsSerializer,
        operation_id="support_settings_update",
    )
    def patch(self, request: Request) -> Response:
        """Change opening hours, holidays, limits and times; tickets keep the due times they have."""
        found = settings.lock_settings()
        refuse_stale(request, _tag(SupportSettingsSerializer(found).data))
        data = valid(SupportSettingsSerializer(found, data=request.data, partial=True))
        return self._shown(settings.change_settings(**data))

    def _shown(self, found: SupportSettings) -> Response:
        data = SupportSettingsSerializer(found).data
        return Response(data, headers={"ETag": _tag(data)})


def _tag(shown: Any) -> str:
    # Settings never changed have no row, hence neither a key nor a time: what is seen is the version.
    return etag(SupportSettings(pk=None), shown)
