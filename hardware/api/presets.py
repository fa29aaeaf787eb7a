from typing import Any

import django_filters
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hardware.drivers.provisioning import cli_word
from hardware.models import OnuPreset, Vendor
from ispcore.api.fields import HouseSerializer, IntegerField, TextField
from ispcore.api.filters import HouseFilterSet
from ispcore.api.views import ListModelMixin, RetrieveModelMixin, TenantViewSet, created, valid

LAST_VLAN = 4094  # IEEE 802.1Q, 9.6.
MAX_GEM_PORT = 4095  # ITU-T G.984.3, 8.1: twelve bits of port id.
MAX_ETHERNET_PORT = 24

# The fields of a preset, as a preset and as a single authorisation may tell them.
FIELDS = (
    "line_profile", "service_profile", "vlan", "user_vlan", "gem_port", "onu_type", "tcont_profile",
    "native_vlan_port",
)  # fmt: skip


class CliWordField(TextField):
    """A name that is typed at a device's command line: one word of harmless characters, or nothing."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, allow_blank=True, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        try:
            return cli_word(text) if text else text
        except ValueError as error:
            raise serializers.ValidationError(f"{error}.", code="invalid") from error


class ProfileFields(serializers.Serializer[Any]):
    """What an OLT is told of how to serve an ONU; which of it is needed depends on the vendor."""

    line_profile = CliWordField(max_length=64, help_text="Its name or number on the OLT.")
    service_profile = CliWordField(max_length=64, help_text="Its name or number on the OLT.")
    vlan = IntegerField(required=False, allow_null=True, min_value=1, max_value=LAST_VLAN)
    user_vlan = IntegerField(
        required=False,
        allow_null=True,
        min_value=1,
        max_value=LAST_VLAN,
        help_text="The VLAN at the ONU; null: the same.",
    )
    gem_port = IntegerField(required=False, min_value=0, max_value=MAX_GEM_PORT)
    onu_type = CliWordField(max_length=40, help_text="As ZTE and FiberHome name it.")
    tcont_profile = CliWordField(max_length=40, help_text="As ZTE names it.")
    native_vlan_port = IntegerField(
        required=False,
        allow_null=True,
        min_value=1,
        max_value=MAX_ETHERNET_PORT,
        help_text="The ONU's Ethernet port that carries the VLAN untagged; null: none.",
    )


class OnuPresetSerializer(ProfileFields, HouseSerializer[OnuPreset]):
    name = TextField(max_length=80)

    class Meta:
        model = OnuPreset
        fields = ["id", "name", "vendor", *FIELDS, "created_at", "updated_at"]


class OnuPresetFilter(HouseFilterSet):
    vendor = django_filters.ChoiceFilter(choices=Vendor.choices)

    class Meta:
        model = OnuPreset
        fields = {"name": ["exact"]}


class OnuPresetViewSet(ListModelMixin, RetrieveModelMixin, TenantViewSet):
    """Profiles and VLAN under a name, to authorise ONUs by."""

    model = OnuPreset
    serializer_class = OnuPresetSerializer
    filterset_class = OnuPresetFilter
    ordering_fields = ("name", "created_at")
    search_fields = ("name",)

    def create(self, request: Request) -> Response:
        """Add a preset for the OLTs of one vendor."""
        preset = OnuPreset.objects.create(**valid(self.get_serializer(data=request.data)))
        self.record = preset
        return created(
            request, view_name="onu-preset-detail", pk=preset.pk, data=self.get_serializer(preset).data
        )

    def update(self, request: Request, pk: str) -> Response:
        """Replace a preset. ONUs that were authorised by it stay as they are."""
        return self._change(request, partial=False)

    def partial_update(self, request: Request, pk: str) -> Response:
        """Change some fields of a preset. ONUs that were authorised by it stay as they are."""
        return self._change(request, partial=True)

    def destroy(self, request: Request, pk: str) -> Response:
        """Remove a preset. ONUs that were authorised by it stay as they are."""
        self.get_object().delete()
        return Response(status=204)

    def _change(self, request: Request, *, partial: bool) -> Response:
        serializer = self.get_serializer(self.get_object(), data=request.data, partial=partial)
        valid(serializer)
        self.record = serializer.save()
        return Response(serializer.data)
