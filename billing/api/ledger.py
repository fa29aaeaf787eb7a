"""Recounts of the ledger."""

from rest_framework import serializers

from billing.models import LedgerCheck, LedgerFinding, LedgerInvariant
from ispcore.api.fields import HouseSerializer
from ispcore.api.filters import HouseFilterSet
from ispcore.api.views import ListModelMixin, RetrieveModelMixin, TenantViewSet


class LedgerFindingSerializer(serializers.ModelSerializer[LedgerFinding]):
    invariant = serializers.ChoiceField(choices=LedgerInvariant.choices)

    class Meta:
        model = LedgerFinding
        fields = ["invariant", "record", "detail"]


class LedgerCheckSerializer(HouseSerializer[LedgerCheck]):
    findings_count = serializers.IntegerField(help_text="Records that do not add up.")
    findings = LedgerFindingSerializer(many=True, help_text="At most a hundred of each kind.")

    class Meta:
        model = LedgerCheck
        fields = ["id", "checked_at", "findings_count", "findings"]


class LedgerCheckFilter(HouseFilterSet):
    class Meta:
        model = LedgerCheck
        fields = {"checked_at": ["gte", "lte"], "findings_count": ["gte"]}


class LedgerCheckViewSet(ListModelMixin, RetrieveModelMixin, TenantViewSet):
    """Each night everything that must add up is counted again; this is what was found."""

    model = LedgerCheck
    serializer_class = LedgerCheckSerializer
    filterset_class = LedgerCheckFilter
    prefetched = ("findings",)
    ordering_fields = ("checked_at",)
