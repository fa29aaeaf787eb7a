from typing import Any

import django_filters
from django.core.validators import RegexValidator
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from aaa import selectors
from aaa.api.records import AddressField, AddressFilter
from aaa.models import Nas, NasRealm, NasType, OctetsMode
from aaa.services import nas
from ispcore.api.fields import (
    BooleanField,
    ChoiceField,
    HouseSerializer,
    IdField,
    IntegerField,
    WriteOnlySecret,
)
from ispcore.api.filters import BooleanFilter, HouseFilterSet
from ispcore.api.views import RecordViewSet

# RFC 2865 section 3: at least one octet, and 16 make it as good as unguessable; printable, so that it can be typed.
SECRET = RegexValidator(r"^[!-~]{8,64}\Z", "8 to 64 printable ASCII characters without spaces.")


class RealmSerializer(serializers.ModelSerializer[NasRealm]):
    guest = serializers.CharField(source="guest.name", help_text="Whose customers these are.")

    class Meta:
        model = NasRealm
        fields = ["id", "realm", "guest"]


class NasSerializer(HouseSerializer[Nas]):
    address = AddressField(help_text="The source address of its RADIUS packets; nobody else may have it.")
    secret = WriteOnlySecret(validators=[SECRET], help_text="Shared with the NAS; never shown again.")
    nas_type = ChoiceField(choices=NasType.choices)
    octets_mode = ChoiceField(choices=OctetsMode.choices, required=False)
    coa_address = AddressField(required=False, allow_null=True)
    coa_port = IntegerField(
        required=False, min_value=1, max_value=65535, help_text="Left out: 3799, and 1700 for Cisco."
    )
    nas_ip_reported = AddressField(required=False, allow_null=True)
    is_active = BooleanField(required=False)
    zone_id = IdField(required=False, allow_null=True)
    is_mirror = serializers.SerializerMethodField(help_text="It stands for another provider's NAS.")
    realms = RealmSerializer(many=True, read_only=True, help_text="Of other providers that it carries.")

    class Meta:
        model = Nas
        fields = [
            "id", "name", "address", "secret", "nas_type", "coa_address", "coa_port",
            "require_message_authenticator", "nas_ip_reported", "nas_identifier", "octets_mode", "swaps_octets",
            "zone_id", "site", "is_active", "notes", "is_mirror", "realms", "sends_gigawords", "last_auth_at",
            "last_acct_at", "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = ["sends_gigawords", "last_auth_at", "last_acct_at"]

    @extend_schema_field(serializers.BooleanField())
    def get_is_mirror(self, found: Nas) -> bool:
        return found.mirror_of is not None


class NasHealthSerializer(serializers.Serializer[Any]):
    verdict = serializers.ChoiceField(choices=selectors.Verdict.choices)
    message = serializers.CharField(help_text="The verdict in words.")
    last_packet_at = serializers.DateTimeField(allow_null=True)
    last_auth_at = serializers.DateTimeField(allow_null=True)
    last_acct_at = serializers.DateTimeField(allow_null=True)
    open_sessions = serializers.IntegerField()
    accepts = serializers.IntegerField(help_text="Log-ins let in, within the last hour.")
    rejects = serializers.IntegerField(help_text="Log-ins refused, within the last hour.")
    reject_rate = serializers.FloatField(allow_null=True, help_text="0 to 1; null without a log-in.")


class NasFilter(HouseFilterSet):
    address = AddressFilter()
    nas_type = django_filters.ChoiceFilter(choices=NasType.choices)
    zone_id = django_filters.UUIDFilter(field_name="zone_id")
    is_active = BooleanFilter()

    class Meta:
        model = Nas
        fields = {"name": ["exact"], "site": ["exact"], "created_at": ["gte", "lte"]}


class NasViewSet(RecordViewSet):
    """The routers and hotspots that ask us."""

    model = Nas
    serializer_class = NasSerializer
    filterset_class = NasFilter
    prefetched = ("realms__guest",)
    ordering_fields = ("name", "created_at", "last_auth_at", "last_acct_at")
    search_fields = ("name", "site", "notes")

    def create(self, request: Request) -> Response:
        """Register a NAS. Its secret is stored encrypted and never shown again; it may ask within a minute."""
        return self.show_created(nas.create_nas(**self.input_of_new()))

    def partial_update(self, request: Request, pk: str) -> Response:
        """Change some fields of a NAS. FreeRADIUS learns of it within a minute."""
        found = self.get_object()
        return self.show_changed(nas.change_nas(nas_id=found.pk, **self.input_of_change(found)))

    def destroy(self, request: Request, pk: str) -> Response:
        """Remove a NAS: its packets are dropped from the next minute on. Sessions that ran on it stay on record."""
        nas.remove_nas(nas_id=self.get_object().pk)
        return Response(status=204)

    @extend_schema(responses=NasHealthSerializer, filters=False)
    @action(detail=True, pagination_class=None)
    def health(self, request: Request, pk: str) -> Response:
        """Whether the NAS is heard of: log-ins, accounting, sessions, refusals of the last hour."""
        found = self.get_object()
        seen = selectors.health_of([found], at=timezone.now())[found.pk]
        return Response(
            {
                "verdict": seen.verdict,
                "message": str(seen.verdict.label),
                "last_packet_at": seen.last_packet_at,
                "last_auth_at": found.last_auth_at,
                "last_acct_at": found.last_acct_at,
                "open_sessions": seen.open_sessions,
                "accepts": seen.accepts,
                "rejects": seen.rejects,
                "reject_rate": seen.reject_rate,
            }
        )
