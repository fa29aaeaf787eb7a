"""Where the address book and the network disagree."""

from typing import Any, ClassVar

import django_filters
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from ipam.models import Drift, DriftKind, Reconciliation, ReconciliationStatus, Repair, SeenIn
from ipam.services import reconciliation
from ispcore.api.fields import ChoiceField, FormSerializer, HouseSerializer, IdField, StrictSerializer
from ispcore.api.filters import BooleanFilter, HouseFilterSet, IpFilter
from ispcore.api.request import caller_of
from ispcore.api.views import ListModelMixin, RetrieveModelMixin, TenantViewSet, UploadMixin, valid
from ispcore.jobs.api import TaskSerializer, accepted
from ispcore.jobs.models import Job
from ispcore.jobs.results import present

WAIT_SECONDS = 10
REPAIRS = tuple(each.value for each in reconciliation.How)
REPAIR_STATES = [*Repair.choices, ("", "Open")]


class ReconciliationInput(FormSerializer):
    seen_in = ChoiceField(choices=SeenIn.choices)
    vrf_id = IdField(required=False, help_text="The default VRF when left out.")
    file = serializers.FileField(
        required=False,
        allow_empty_file=True,
        help_text="The ARP list or DHCP leases as CSV or XLSX, at most 50 MiB and 500,000 rows.",
    )


class ReconciliationSerializer(HouseSerializer[Reconciliation]):
    vrf_id = serializers.UUIDField(read_only=True)
    task_id = serializers.UUIDField(source="job_id", read_only=True, allow_null=True)
    created_by_id = serializers.UUIDField(read_only=True, allow_null=True)

    class Meta:
        model = Reconciliation
        fields = [
            "id", "vrf_id", "seen_in", "status", "message", "addresses_seen", "drifts_found", "task_id",
            "created_by_id", "started_at", "finished_at", "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = fields


class ReconciliationFilter(HouseFilterSet):
    vrf_id = django_filters.UUIDFilter(field_name="vrf_id")
    seen_in = django_filters.ChoiceFilter(choices=SeenIn.choices)
    status = django_filters.ChoiceFilter(choices=ReconciliationStatus.choices)

    class Meta:
        model = Reconciliation
        fields = {"started_at": ["gte", "lte"]}


class RepairedSerializer(serializers.Serializer[Any]):
    repaired = serializers.IntegerField(help_text="Kept back now.")
    left = serializers.IntegerField(help_text="Still open: resting, or taken by somebody meanwhile.")


class ReconciliationViewSet(UploadMixin, ListModelMixin, RetrieveModelMixin, TenantViewSet):
    """Comparisons of the address book with live sessions, ARP lists and DHCP leases; kept for 90 days."""

    model = Reconciliation
    serializer_class = ReconciliationSerializer
    filterset_class = ReconciliationFilter
    ordering_fields = ("started_at", "drifts_found", "created_at")
    verbs: ClassVar[dict[str, str]] = {"repair": "change"}

    @extend_schema(
        request=ReconciliationInput, responses={200: ReconciliationSerializer, 202: TaskSerializer}
    )
    def create(self, request: Request) -> Response:
        """Compare a VRF with what is in use: with live sessions, or with a list given as a file.

        Runs in the background; the answer waits up to 10 seconds (`Prefer: wait=N`) and is 202 with the task when
        it takes longer.
        """
        data = valid(ReconciliationInput(data=request.data))
        file = data.pop("file", None)
        started = reconciliation.request_reconciliation(
            **data,
            at=timezone.now(),
            name=(file.name or "") if file else "",
            content=file.chunks() if file else None,
            user_id=caller_of(request._request).user_id,
        )
        assert started.job is not None
        return accepted(request, started.job, default_wait=WAIT_SECONDS)

    @extend_schema(request=None, responses=RepairedSerializer)
    @action(detail=True, methods=["post"])
    def repair(self, request: Request, pk: str) -> Response:
        """Keep back all addresses that are in use and free in the book, at most 10,000; takes nothing from anybody."""
        done = reconciliation.repair_all(
            reconciliation_id=self.get_object().pk,
            at=timezone.now(),
            user_id=caller_of(request._request).user_id,
        )
        return Response({"repaired": done.repaired, "left": done.left})


class DriftSerializer(HouseSerializer[Drift]):
    reconciliation_id = serializers.UUIDField(read_only=True)
    vrf_id = serializers.UUIDField(read_only=True)
    address_id = serializers.UUIDField(source="record_id", read_only=True, allow_null=True)
    service_id = serializers.UUIDField(
        source="holder_id", read_only=True, allow_null=True, help_text="The service it is assigned to."
    )
    seen_service_id = serializers.UUIDField(
        source="seen_subscription_id", read_only=True, allow_null=True, help_text="The service seen using it."
    )
    repair = serializers.ChoiceField(choices=REPAIR_STATES, read_only=True)
    repaired_by_id = serializers.UUIDField(read_only=True, allow_null=True)

    class Meta:
        model = Drift
        fields = [
            "id", "reconciliation_id", "vrf_id", "address", "kind", "address_id", "service_id", "seen_service_id",
            "seen_as", "seen_at", "repair", "repaired_at", "repaired_by_id", "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = fields


class DriftFilter(HouseFilterSet):
    reconciliation_id = django_filters.UUIDFilter(field_name="reconciliation_id")
    vrf_id = django_filters.UUIDFilter(field_name="vrf_id")
    kind = django_filters.ChoiceFilter(choices=DriftKind.choices)
    address = IpFilter(field_name="address")
    service_id = django_filters.UUIDFilter(field_name="holder_id")
    seen_service_id = django_filters.UUIDFilter(field_name="seen_subscription_id")
    is_open = BooleanFilter(field_name="repaired_at", lookup_expr="isnull")

    class Meta:
        model = Drift
        fields = {"seen_at": ["gte", "lte"]}


class RepairInput(StrictSerializer):
    how = ChoiceField(
        choices=REPAIRS,
        help_text="`reserve` keeps it back, `assign` gives it to the service seen, `dismiss` only closes it.",
    )


class DriftViewSet(ListModelMixin, RetrieveModelMixin, TenantViewSet):
    """Addresses on which the book and a comparison disagree."""

    model = Drift
    serializer_class = DriftSerializer
    filterset_class = DriftFilter
    ordering_fields = ("created_at", "address", "kind")
    verbs: ClassVar[dict[str, str]] = {"repair": "change"}

    @extend_schema(request=RepairInput, responses=DriftSerializer)
    @action(detail=True, methods=["post"])
    def repair(self, request: Request, pk: str) -> Response:
        """Settle a drift. Only what is used and free in the book is kept back or assigned; nothing is taken away."""
        found = self.get_object()
        data = valid(RepairInput(data=request.data))
        self.record = reconciliation.repair_drift(
            drift_id=found.pk,
            how=data["how"],
            at=timezone.now(),
            user_id=caller_of(request._request).user_id,
        )
        self.record.refresh_from_db()
        return Response(self.get_serializer(self.record).data)


@present(reconciliation.KIND)
def reconciliation_result(job: Job) -> dict[str, Any]:
    """Show the comparison itself as what its job came to."""
    assert job.result is not None
    found = Reconciliation.objects.get(pk=job.result["reconciliation_id"])
    return dict(ReconciliationSerializer(found).data)
