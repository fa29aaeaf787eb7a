"""Virtual servers, RADIUS services and bandwidth policies."""

from typing import Any

import django_filters
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from aaa.models import CapPeriod, MacLock, NasType, Policy, ServiceProfile, VirtualServer
from aaa.models.nas import REALM
from aaa.services import policies, profiles
from ispcore.api.fields import ChoiceField, HouseSerializer, IdField, TextField
from ispcore.api.filters import HouseFilterSet
from ispcore.api.views import RecordViewSet


class VirtualServerSerializer(HouseSerializer[VirtualServer]):
    realm = TextField(max_length=253, required=False, allow_blank=True, validators=[REALM])

    class Meta:
        model = VirtualServer
        fields = ["id", "name", "description", "realm", "created_at", "updated_at"]


class VirtualServerFilter(HouseFilterSet):
    class Meta:
        model = VirtualServer
        fields = {"name": ["exact"], "created_at": ["gte", "lte"]}


class VirtualServerViewSet(RecordViewSet):
    """Groups of accounts, each with a realm of its own."""

    model = VirtualServer
    serializer_class = VirtualServerSerializer
    filterset_class = VirtualServerFilter
    ordering_fields = ("name", "created_at")
    search_fields = ("name", "realm")

    def create(self, request: Request) -> Response:
        """Add a virtual server."""
        return self.show_created(profiles.create_virtual_server(**self.input_of_new()))

    def partial_update(self, request: Request, pk: str) -> Response:
        """Change some fields of a virtual server."""
        found = self.get_object()
        data = self.input_of_change(found)
        return self.show_changed(profiles.change_virtual_server(virtual_server_id=found.pk, **data))

    def destroy(self, request: Request, pk: str) -> Response:
        """Remove a virtual server without accounts."""
        profiles.remove_virtual_server(virtual_server_id=self.get_object().pk)
        return Response(status=204)


class ServiceProfileSerializer(HouseSerializer[ServiceProfile]):
    mac_lock = ChoiceField(choices=MacLock.choices, required=False)
    cap_period = ChoiceField(choices=CapPeriod.choices, required=False)

    class Meta:
        model = ServiceProfile
        fields = [
            "id", "name", "interim_seconds", "session_timeout", "idle_timeout", "max_sessions", "framed_pool",
            "ipv6_pool", "delegated_pool", "mac_lock", "cap_period", "cap_rolls_over", "created_at", "updated_at",
        ]  # fmt: skip


class ServiceProfileFilter(HouseFilterSet):
    class Meta:
        model = ServiceProfile
        fields = {"name": ["exact"], "created_at": ["gte", "lte"]}


class ServiceProfileViewSet(RecordViewSet):
    """RADIUS services: how sessions of a kind run."""

    model = ServiceProfile
    serializer_class = ServiceProfileSerializer
    filterset_class = ServiceProfileFilter
    ordering_fields = ("name", "created_at")
    search_fields = ("name",)

    def create(self, request: Request) -> Response:
        """Add a RADIUS service."""
        return self.show_created(profiles.create_service_profile(**self.input_of_new()))

    def partial_update(self, request: Request, pk: str) -> Response:
        """Change some fields of a RADIUS service. Timers count from the next log-in; other pools end live sessions."""
        found = self.get_object()
        data = self.input_of_change(found)
        return self.show_changed(profiles.change_service_profile(service_profile_id=found.pk, **data))

    def destroy(self, request: Request, pk: str) -> Response:
        """Remove a RADIUS service that nothing names."""
        profiles.remove_service_profile(service_profile_id=self.get_object().pk)
        return Response(status=204)


class PolicySerializer(HouseSerializer[Policy]):
    plan_id = IdField(
        required=False, allow_null=True, help_text="Its speeds are then those of the plan, always."
    )
    not_limited_on = serializers.SerializerMethodField(
        help_text="Types of NAS that this policy would not limit, and the fields they need."
    )

    class Meta:
        model = Policy
        fields = [
            "id", "name", "plan_id", "down_kbps", "up_kbps", "burst_down_kbps", "burst_up_kbps",
            "threshold_down_kbps", "threshold_up_kbps", "burst_seconds", "priority", "guaranteed_down_kbps",
            "guaranteed_up_kbps", "session_timeout", "cisco_policy_in", "cisco_policy_out", "juniper_qos_profile",
            "huawei_qos_profile", "nokia_sla_profile", "nokia_subscriber_profile", "address_list", "filter_id",
            "not_limited_on", "created_at", "updated_at",
        ]  # fmt: skip

    @extend_schema_field(
        {
            "type": "object",
            "properties": {each: {"type": "array", "items": {"type": "string"}} for each in NasType.values},
        }
    )
    def get_not_limited_on(self, policy: Policy) -> dict[str, list[str]]:
        return {each: list(names) for each, names in policies.types_left_unlimited(policy).items()}

    def validate_plan_id(self, value: Any) -> Any:
        if self.instance is not None and value != self.instance.plan_id:
            raise serializers.ValidationError("The plan of a policy stays.", code="read_only")
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        for direction in ("down", "up"):
            rate = self._after(attrs, f"{direction}_kbps")
            for name, word in (("burst", "A burst"), ("guaranteed", "A guarantee")):
                field = f"{name}_{direction}_kbps"
                value = self._after(attrs, field)
                if value is not None and rate is None and not attrs.get("plan_id"):
                    raise serializers.ValidationError({field: f"{word} needs `{direction}_kbps`."})
                if name == "guaranteed" and value is not None and rate is not None and value > rate:
                    raise serializers.ValidationError({field: f"Cannot be above `{direction}_kbps`."})
        return attrs

    def _after(self, attrs: dict[str, Any], name: str) -> Any:
        return attrs[name] if name in attrs else getattr(self.instance, name, None)


class PolicyFilter(HouseFilterSet):
    plan_id = django_filters.UUIDFilter(field_name="plan_id")

    class Meta:
        model = Policy
        fields = {"name": ["exact"], "down_kbps": ["gte", "lte"], "created_at": ["gte", "lte"]}


class PolicyViewSet(RecordViewSet):
    """Bandwidth, in no vendor's words: each type of NAS is told in its own."""

    model = Policy
    serializer_class = PolicySerializer
    filterset_class = PolicyFilter
    ordering_fields = ("name", "down_kbps", "created_at")
    search_fields = ("name",)

    def create(self, request: Request) -> Response:
        """Add a policy. With a plan its speeds are the plan's, and those of the plan's services."""
        return self.show_created(policies.create_policy(**self.input_of_new()))

    def partial_update(self, request: Request, pk: str) -> Response:
        """Change some fields of a policy. Live sessions follow."""
        found = self.get_object()
        data = self.input_of_change(found)
        data.pop("plan_id", None)
        return self.show_changed(policies.change_policy(policy_id=found.pk, **data))

    def destroy(self, request: Request, pk: str) -> Response:
        """Remove a policy that nothing names."""
        policies.remove_policy(policy_id=self.get_object().pk)
        return Response(status=204)
