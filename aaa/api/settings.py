from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from aaa.models import Barred, RadiusSettings, Reason
from aaa.services import settings
from ispcore.api.fields import BooleanField, ChoiceField, HouseSerializer, IdField, IntegerField, TextField
from ispcore.api.views import ApiView, etag, refuse_stale, valid

LONGEST_MESSAGE = 200  # A Reply-Message holds 253 octets (RFC 2865 section 5).


@extend_schema_field(
    {
        "type": "object",
        "properties": {each: {"type": "string", "maxLength": LONGEST_MESSAGE} for each in Reason.values},
        "additionalProperties": False,
    }
)
class MessagesField(serializers.DictField):
    """What a refused subscriber is told, by reason."""

    def to_internal_value(self, data: Any) -> Any:
        found = super().to_internal_value(data)
        if unknown := sorted(set(found) - set(Reason.values)):
            raise serializers.ValidationError({unknown[0]: ["There is no such reason."]})
        return found


class RadiusSettingsSerializer(HouseSerializer[RadiusSettings]):
    unpaid = ChoiceField(choices=Barred.choices, required=False)
    suspended = ChoiceField(choices=Barred.choices, required=False)
    expired = ChoiceField(choices=Barred.choices, required=False)
    garden_policy_id = IdField(required=False, allow_null=True)
    service_profile_id = IdField(required=False, allow_null=True)
    creates_accounts = BooleanField(required=False)
    attempt_days = IntegerField(required=False, min_value=7, max_value=730)
    session_days = IntegerField(required=False, min_value=31, max_value=3660)
    messages = MessagesField(child=TextField(max_length=LONGEST_MESSAGE), required=False)

    class Meta:
        model = RadiusSettings
        fields = [
            "unpaid", "suspended", "expired", "garden_policy_id", "garden_pool", "creates_accounts",
            "username_template", "service_profile_id", "messages", "attempt_days", "session_days",
        ]  # fmt: skip


class RadiusSettingsView(ApiView):
    """One record per provider."""

    app_label = "aaa"
    answers_with_record = True

    @extend_schema(responses=RadiusSettingsSerializer, operation_id="aaa_settings_retrieve")
    def get(self, request: Request) -> Response:
        """Show what this provider wants of its access."""
        return self._shown(settings.radius_settings())

    @extend_schema(
        request=RadiusSettingsSerializer,
        responses=RadiusSettingsSerializer,
        operation_id="aaa_settings_update",
    )
    def patch(self, request: Request) -> Response:
        """Change what becomes of barred lines, how accounts are made, and how long records are kept.

        Accounts and live sessions follow within moments.
        """
        found = settings.lock_settings()
        refuse_stale(request, _tag(RadiusSettingsSerializer(found).data))
        data = valid(RadiusSettingsSerializer(found, data=request.data, partial=True))
        return self._shown(settings.change_settings(**data))

    def _shown(self, found: RadiusSettings) -> Response:
        data = RadiusSettingsSerializer(found).data
        return Response(data, headers={"ETag": _tag(data)})


def _tag(shown: Any) -> str:
    # Settings never changed have no row, hence neither a key nor a time: what is seen is the version.
    return etag(RadiusSettings(pk=None), shown)
