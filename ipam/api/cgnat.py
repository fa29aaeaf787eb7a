"""CGNAT: rules, what a service has of a public address, and look-ups for lawful requests."""

from typing import Any, ClassVar

import django_filters
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from ipam.models import CgnatRule
from ipam.services import cgnat
from ispcore.api.fields import HouseSerializer, IdField, IntegerField, IpField, StrictSerializer, TextField
from ispcore.api.filters import HouseFilterSet, IpFilter
from ispcore.api.request import caller_of, who
from ispcore.api.views import (
    ApiView,
    ListModelMixin,
    RetrieveModelMixin,
    TenantViewSet,
    created,
    valid,
)
from subscribers.api.lines import find_line

HIGHEST_PORT = 65_535


def _port(**more: Any) -> IntegerField:
    return IntegerField(min_value=1, max_value=HIGHEST_PORT, **more)


class CgnatRuleSerializer(HouseSerializer[CgnatRule]):
    vrf_id = serializers.UUIDField(read_only=True)
    pool_id = serializers.UUIDField(read_only=True, allow_null=True)
    created_by_id = serializers.UUIDField(read_only=True, allow_null=True)

    class Meta:
        model = CgnatRule
        fields = [
            "id", "name", "vrf_id", "pool_id", "inside_first", "inside_last", "public_first", "public_last",
            "first_port", "ports_per_line", "valid_from", "valid_until", "note", "created_by_id", "created_at",
            "updated_at",
        ]  # fmt: skip
        read_only_fields = fields


class CgnatRuleInput(StrictSerializer):
    name = TextField(max_length=80)
    vrf_id = IdField(help_text="Of the inside addresses.")
    pool_id = IdField(
        required=False, allow_null=True, help_text="The CGNAT pool the inside addresses are of."
    )
    inside_first = IpField(protocol="ipv4")
    inside_last = IpField(protocol="ipv4")
    public_first = IpField(protocol="ipv4")
    public_last = IpField(protocol="ipv4")
    first_port = _port(required=False, help_text="1024 when left out.")
    ports_per_line = _port(required=False, help_text="2016 when left out: 32 lines on one public address.")
    valid_from = serializers.DateTimeField(
        required=False,
        help_text="Now when left out; earlier to write down what the router has been doing.",
    )
    note = TextField(max_length=200, required=False, allow_blank=True)


class CgnatEndInput(StrictSerializer):
    valid_until = serializers.DateTimeField(required=False, help_text="Now when left out.")


class CgnatRuleFilter(HouseFilterSet):
    vrf_id = django_filters.UUIDFilter(field_name="vrf_id")
    pool_id = django_filters.UUIDFilter(field_name="pool_id")
    public_address = IpFilter(method="has_public", help_text="Rules whose public range holds it.")
    inside_address = IpFilter(method="has_inside", help_text="Rules whose inside range holds it.")

    class Meta:
        model = CgnatRule
        fields = {"name": ["exact"], "valid_from": ["gte", "lte"], "valid_until": ["gte", "lte", "isnull"]}

    def has_public(self, rows: Any, name: str, value: str) -> Any:
        return rows.filter(public_first__lte=value, public_last__gte=value)

    def has_inside(self, rows: Any, name: str, value: str) -> Any:
        return rows.filter(inside_first__lte=value, inside_last__gte=value)


class CgnatRuleViewSet(ListModelMixin, RetrieveModelMixin, TenantViewSet):
    """Which ports of which public address each inside address has, and since when.

    With `blocks` = (65536 - first_port) // ports_per_line, the i-th inside address (from 0) has the public address
    `public_first` + i // blocks and `ports_per_line` ports from `first_port` + (i % blocks) * ports_per_line on.
    A rule is never changed: it is ended and followed by another.
    """

    model = CgnatRule
    serializer_class = CgnatRuleSerializer
    filterset_class = CgnatRuleFilter
    ordering_fields = ("valid_from", "name", "created_at")
    verbs: ClassVar[dict[str, str]] = {"end": "change"}

    @extend_schema(request=CgnatRuleInput, responses={201: CgnatRuleSerializer})
    def create(self, request: Request) -> Response:
        """Add a rule as the router applies it. Rules valid at the same time never overlap, inside or outside."""
        data = valid(CgnatRuleInput(data=request.data))
        data.setdefault("valid_from", timezone.now())
        self.record = cgnat.create_rule(**data, user_id=caller_of(request._request).user_id)
        self.record.refresh_from_db()
        shown = self.get_serializer(self.record).data
        return created(request, view_name="cgnat-rule-detail", pk=self.record.pk, data=shown)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Take back a rule that has not begun; one that has is ended, and stays for look-ups."""
        cgnat.remove_rule(rule_id=self.get_object().pk, at=timezone.now())
        return Response(status=204)

    @extend_schema(request=CgnatEndInput, responses=CgnatRuleSerializer)
    @action(detail=True, methods=["post"])
    def end(self, request: Request, pk: str) -> Response:
        """End a rule, now or later. Look-ups of the time it was valid go on answering by it."""
        found = self.get_object()
        data = valid(CgnatEndInput(data=request.data))
        self.record = cgnat.end_rule(rule_id=found.pk, at=timezone.now(), until=data.get("valid_until"))
        self.record.refresh_from_db()
        return Response(self.get_serializer(self.record).data)


class CgnatLookupInput(StrictSerializer):
    public_address = IpField(protocol="ipv4")
    port = IntegerField(min_value=0, max_value=HIGHEST_PORT, help_text="The source port on the outside.")
    at = serializers.DateTimeField(help_text="When the connection was, with its time zone.")
    reference = TextField(
        min_length=3,
        max_length=cgnat.MAX_REFERENCE,
        help_text="What allows the question, such as a court's file number. It is kept with who asked.",
    )


class CgnatAnswerSerializer(serializers.Serializer[Any]):
    found = serializers.BooleanField(help_text="Whether somebody held the inside address then.")
    rule_id = serializers.UUIDField(allow_null=True, help_text="The rule valid then; null: none was.")
    vrf_id = serializers.UUIDField(allow_null=True)
    inside_address = serializers.CharField(allow_null=True)
    service_id = serializers.UUIDField(allow_null=True)
    service_number = serializers.IntegerField(allow_null=True)
    subscriber_id = serializers.UUIDField(allow_null=True)
    subscriber_number = serializers.CharField(allow_null=True)
    subscriber_name = serializers.CharField(allow_null=True)
    assigned_to = serializers.CharField(
        allow_null=True, help_text="What held it when no service did, such as a router."
    )
    held_from = serializers.DateTimeField(allow_null=True)
    held_until = serializers.DateTimeField(allow_null=True, help_text="Null: it still does.")


class CgnatLookupView(ApiView):
    """Who was behind a public address and port."""

    app_label = "ipam"
    verbs: ClassVar[dict[str, str]] = {"post": "reveal"}

    @extend_schema(
        request=CgnatLookupInput,
        responses={200: CgnatAnswerSerializer},
        operation_id="ipam_cgnat_lookup",
    )
    def post(self, request: Request) -> Response:
        """Tell who was behind a public address and port at a moment, for a lawful request.

        The answer names who held the inside address then, not who holds it now. Every look-up is written into the
        audit entries with its `reference`, whether it found somebody or not.
        """
        data = valid(CgnatLookupInput(data=request.data))
        answer = cgnat.look_up(
            public_address=data["public_address"],
            port=data["port"],
            moment=data["at"],
            reference=data["reference"],
            at=timezone.now(),
            **who(request),
        )
        return Response(_shown(answer), headers={"Cache-Control": "no-store"})


class CgnatMappingSerializer(serializers.Serializer[Any]):
    rule_id = serializers.UUIDField(source="rule.pk")
    inside_address = serializers.CharField()
    public_address = serializers.CharField(source="block.public_address")
    first_port = serializers.IntegerField(source="block.first_port")
    last_port = serializers.IntegerField(source="block.last_port")
    valid_from = serializers.DateTimeField(source="rule.valid_from")
    valid_until = serializers.DateTimeField(source="rule.valid_until", allow_null=True)


class ServiceCgnatView(ApiView):
    """What a service has of public addresses; `{id}` is an id or a service number."""

    app_label = "ipam"

    @extend_schema(responses=CgnatMappingSerializer(many=True), operation_id="services_cgnat", filters=False)
    def get(self, request: Request, pk: str) -> Response:
        """Show the public address and ports behind which a service's traffic appears now, per inside address."""
        found = cgnat.mappings_of(subscription_id=find_line(pk).pk, at=timezone.now())
        return Response(CgnatMappingSerializer(found, many=True).data)


def _shown(answer: cgnat.Answer) -> dict[str, Any]:
    line = answer.subscription
    return {
        "found": answer.began_at is not None,
        "rule_id": answer.rule.pk if answer.rule else None,
        "vrf_id": answer.rule.vrf_id if answer.rule else None,
        "inside_address": answer.inside_address,
        "service_id": line.pk if line else None,
        "service_number": line.number if line else None,
        "subscriber_id": line.subscriber_id if line else None,
        "subscriber_number": line.subscriber.number if line else None,
        "subscriber_name": line.subscriber.full_name if line else None,
        "assigned_to": answer.assigned_to or None,
        "held_from": answer.began_at,
        "held_until": answer.ended_at,
    }
