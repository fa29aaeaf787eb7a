"""`/api/v1/api-keys`: the credentials of integrators, made and revoked by whoever may manage staff."""

from typing import ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from ispcore.api.fields import ChoiceField, HouseSerializer, TextField
from ispcore.api.filters import BooleanFilter, HouseFilterSet
from ispcore.api.idempotency import show_once
from ispcore.api.request import caller_of
from ispcore.api.views import RecordViewSet, created, etag
from ispcore.auth import services
from ispcore.auth.models import KEY_ROLES, ApiKey

MAX_NETWORKS = 100


class ApiKeySerializer(HouseSerializer[ApiKey]):
    role = ChoiceField(choices=KEY_ROLES)
    prefix = serializers.CharField(
        read_only=True, help_text="The readable part: the key begins ispk_<prefix>_."
    )
    expires_at = serializers.DateTimeField(required=False, allow_null=True, help_text="Null: never.")
    allowed_ips = serializers.ListField(
        child=TextField(max_length=43),
        required=False,
        max_length=MAX_NETWORKS,
        help_text="Addresses or networks it may be used from, 192.0.2.7 or 2001:db8::/32; empty: anywhere.",
    )
    created_by_id = serializers.UUIDField(
        read_only=True, allow_null=True, help_text="Null when another key made it."
    )
    last_used_at = serializers.DateTimeField(
        read_only=True, allow_null=True, help_text="Exact to five minutes."
    )
    revoked_at = serializers.DateTimeField(read_only=True, allow_null=True)

    class Meta:
        model = ApiKey
        fields = [
            "id", "name", "role", "prefix", "expires_at", "allowed_ips", "created_by_id", "last_used_at", "revoked_at",
            "created_at", "updated_at",
        ]  # fmt: skip


class NewApiKeySerializer(ApiKeySerializer):
    key = serializers.CharField(read_only=True, help_text="The whole key; never shown again.")

    class Meta(ApiKeySerializer.Meta):
        fields = [*ApiKeySerializer.Meta.fields, "key"]


class ApiKeyFilter(HouseFilterSet):
    is_revoked = BooleanFilter(field_name="revoked_at", lookup_expr="isnull", exclude=True)

    class Meta:
        model = ApiKey
        fields = {"role": ["exact"], "prefix": ["exact"], "created_at": ["gte", "lte"]}


class ApiKeyViewSet(RecordViewSet):
    """Keys of programs that act for this provider. Made, revoked, and never changed."""

    model = ApiKey
    serializer_class = ApiKeySerializer
    filterset_class = ApiKeyFilter
    ordering_fields = ("name", "created_at", "last_used_at")
    verbs: ClassVar[dict[str, str]] = {"revoke": "change"}

    @extend_schema(responses={201: NewApiKeySerializer})
    def create(self, request: Request) -> Response:
        """Make a key with a role. Its text is in this answer and nowhere else: only a hash is stored.

        For the same reason a repeat with the same idempotency key is 409 `secret_shown_once` and makes no
        second one: if the text was lost, revoke the key that was made, which the list shows first, and make another.
        """
        caller = caller_of(request._request)
        made, text = services.create_api_key(
            **self.input_of_new(),
            created_by=caller.principal.user if caller.principal else None,
            at=timezone.now(),
        )
        self.record = self.get_queryset().get(pk=made.pk)
        shown = self.get_serializer(self.record).data
        response = created(request, view_name="api-key-detail", pk=made.pk, data=shown)
        response["ETag"] = etag(self.record, shown)  # Of what is shown from now on.
        return show_once(response, key=text)

    @extend_schema(request=None, responses=ApiKeySerializer)
    @action(detail=True, methods=["post"])
    def revoke(self, request: Request, pk: str) -> Response:
        """Lock out whatever uses this key, from its next call on and for good. Repeating it changes nothing."""
        return self.show_changed(services.revoke_api_key(key_id=self.get_object().pk, at=timezone.now()))
