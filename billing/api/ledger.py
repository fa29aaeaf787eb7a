"""Recounts of the ledger."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing.models import LedgerCheck, LedgerFinding, LedgerInvariant
from billing.services import ledger
from ispcore.api.fields import HouseSerializer
from ispcore.api.filters import HouseFilterSet
from ispcore.api.request import caller_of
from ispcore.api.views import ListModelMixin, RetrieveModelMixin, TenantViewSet
from ispcore.jobs.api import TaskSerializer, accepted

WAIT_SECONDS = 10


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

    @extend_schema(
        request=None,
        responses={200: TaskSerializer, 202: TaskSerializer},
        operation_id="billing_ledger_checks_create",
    )
    def create(self, request: Request) -> Response:
        """Count everything again now, in the background; the answer waits up to 10 seconds for the result."""
        job = ledger.request_check(user_id=caller_of(request._request).user_id)
        return accepted(request, job, default_wait=WAIT_SECONDS)
