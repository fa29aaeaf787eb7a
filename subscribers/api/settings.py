"""What a provider wants of its customers' records: the settings, and fields of its own."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ispcore.api.fields import (
    BooleanField,
    ChoiceField,
    HouseSerializer,
    IntegerField,
    TextField,
)
from ispcore.api.filters import HouseFilterSet
from ispcore.api.views import (
    ApiView,
    ListModelMixin,
    RetrieveModelMixin,
    TenantViewSet,
    created,
    etag,
    refuse_stale,
    valid,
)
from subscribers.models import CustomField, CustomFieldKind, DuplicateRule, SubscriberSettings
from subscribers.services import custom_fields, settings


class SettingsSerializer(HouseSerializer[SubscriberSettings]):
    duplicate_rules = serializers.ListField(
        child=ChoiceField(choices=DuplicateRule.choices),
        max_length=len(DuplicateRule),
        required=False,
        help_text="What two subscribers who have not left may not share. External ids are never shared.",
    )
    phone_region = TextField(
        max_length=2,
        min_length=2,
        required=False,
        help_text="ISO 3166 country of numbers written without a country code. Numbers taken in keep theirs.",
    )

    class Meta:
        model = SubscriberSettings
        fields = ["duplicate_rules", "phone_region"]


class SettingsView(ApiView):
    """One record per provider."""

    app_label = "subscribers"
    answers_with_record = True

    @extend_schema(responses=SettingsSerializer, operation_id="subscriber_settings_retrieve")
    def get(self, request: Request) -> Response:
        """Show what this provider wants of its subscribers' records."""
        return self._shown(settings.subscriber_settings())

    @extend_schema(
        request=SettingsSerializer, responses=SettingsSerializer, operation_id="subscriber_settings_update"
    )
    def patch(self, request: Request) -> Response:
        """Change the duplicate rules or the country of phone numbers. Records that are there stay as they are."""
        found = settings.lock_settings()
        refuse_stale(request, _tag(SettingsSerializer(found).data))
        data = valid(SettingsSerializer(found, data=request.data, partial=True))
        return self._shown(settings.change_subscriber_settings(**data))

    def _shown(self, found: SubscriberSettings) -> Response:
        data = SettingsSerializer(found).data
        return Response(data, headers={"ETag": _tag(data)})


def _tag(shown: Any) -> str:
    # Settings never changed have no row, hence neither a key nor a time: what is seen is the version.
    return etag(SubscriberSettings(pk=None), shown)


class CustomFieldSerializer(HouseSerializer[CustomField]):
    kind = ChoiceField(
        choices=CustomFieldKind.choices, required=False, help_text="It stays once a subscriber has a value."
    )
    choices = serializers.ListField(
        child=TextField(max_length=80),
        max_length=custom_fields.MOST_CHOICES,
        required=False,
        help_text="For the kind `choice`, and for no other.",
    )
    is_required = BooleanField(required=False, help_text="For records made or replaced from now on.")
    position = IntegerField(min_value=0, max_value=32767, required=False, help_text="Lower ones come first.")

    class Meta:
        model = CustomField
        fields = [
            "id", "key", "label", "kind", "choices", "is_required", "help_text", "position", "created_at",
            "updated_at",
        ]  # fmt: skip

    def validate_key(self, key: str) -> str:
        if self.instance is not None and key != self.instance.key:
            raise serializers.ValidationError(
                "The key stays: files and integrations use it.", code="read_only"
            )
        return key


class CustomFieldFilter(HouseFilterSet):
    class Meta:
        model = CustomField
        fields = {"key": ["exact"], "kind": ["exact"]}


class CustomFieldViewSet(ListModelMixin, RetrieveModelMixin, TenantViewSet):
    """What this provider keeps of every subscriber besides; `{id}` is an id or a key."""

    model = CustomField
    number_field = "key"
    serializer_class = CustomFieldSerializer
    filterset_class = CustomFieldFilter
    ordering_fields = ("position", "key", "created_at")
    search_fields = ("key", "label")

    def create(self, request: Request) -> Response:
        """Add a field to every subscriber's record, at most 50 in all."""
        field = custom_fields.create_custom_field(**valid(self.get_serializer(data=request.data)))
        self.record = field
        data = self.get_serializer(field).data
        return created(request, view_name="custom-field-detail", pk=field.pk, data=data)

    def partial_update(self, request: Request, pk: str) -> Response:
        """Change a field. Its key stays, and its kind too once a subscriber has a value (409)."""
        found = self.get_object()
        data = valid(self.get_serializer(found, data=request.data, partial=True))
        data.pop("key", None)
        self.record = custom_fields.change_custom_field(custom_field_id=found.pk, **data)
        return Response(self.get_serializer(self.record).data)

    def destroy(self, request: Request, pk: str) -> Response:
        """Remove a field and its value from every subscriber. Their history keeps what was."""
        custom_fields.remove_custom_field(custom_field_id=self.get_object().pk)
        return Response(status=204)
