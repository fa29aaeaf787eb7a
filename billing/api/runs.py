"""Billing runs: planned, looked at, approved by their plan's hash, issued."""

from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.amounts import AmountField
from billing.models import (
    BillingRun,
    InvoiceKind,
    LineKind,
    ParkedAccount,
    ParkReason,
    RunDifference,
    RunStatus,
    RunTotal,
)
from billing.services import runs
from ispcore.api.fields import HouseSerializer, IdField, StrictSerializer
from ispcore.api.filters import HouseFilterSet
from ispcore.api.request import caller_of
from ispcore.api.views import ApiView, ListModelMixin, RetrieveModelMixin, TenantViewSet, valid
from ispcore.jobs.api import TaskSerializer, accepted
from ispcore.jobs.models import Job
from ispcore.jobs.results import present

WAIT_SECONDS = 10


class GenerateInput(StrictSerializer):
    on = serializers.DateField(
        required=False, help_text="Lines due on this day or earlier; today when left out."
    )
    dry_run = serializers.BooleanField(
        required=False, help_text="With `subscriber_id`: only true. A run issues nothing before its approval."
    )
    subscriber_id = IdField(
        required=False, help_text="Show this subscriber's next invoice, and write nothing."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "subscriber_id" in attrs and attrs.get("dry_run") is False:
            raise serializers.ValidationError(
                {"dry_run": "One subscriber's invoice is only shown; a run issues all that is due."},
                code="not_alone",
            )
        return attrs


class RunApprovalInput(StrictSerializer):
    plan_hash = serializers.RegexField(
        r"^[0-9a-f]{64}\Z", help_text="The `plan_hash` of the plan you looked at."
    )


class RunTotalSerializer(serializers.ModelSerializer[RunTotal]):
    net = AmountField()
    tax = AmountField()
    total = AmountField()
    previous_total = AmountField(
        help_text="What the same subscribers' last cycle, and those gone since, came to."
    )

    class Meta:
        model = RunTotal
        fields = ["currency", "invoices", "net", "tax", "total", "previous_total"]


class BillingRunSerializer(HouseSerializer[BillingRun]):
    totals = RunTotalSerializer(many=True, read_only=True)
    task_id = serializers.UUIDField(source="job_id", read_only=True, allow_null=True)
    approved_by_id = serializers.UUIDField(read_only=True, allow_null=True)
    created_by_id = serializers.UUIDField(read_only=True, allow_null=True)

    class Meta:
        model = BillingRun
        fields = [
            "id", "on", "status", "plan_hash", "invoices_planned", "invoices_issued", "parked", "totals", "task_id",
            "as_of", "planned_at", "approved_at", "approved_by_id", "issued_at", "discarded_at", "created_by_id",
            "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = fields


class DifferenceSerializer(serializers.ModelSerializer[RunDifference]):
    subscriber_id = serializers.UUIDField(read_only=True)
    previous = AmountField(help_text="The last cycle's amount.")
    now = AmountField()

    class Meta:
        model = RunDifference
        fields = ["id", "subscriber_id", "kind", "currency", "previous", "now", "reason"]
        read_only_fields = fields


class ParkedSerializer(serializers.ModelSerializer[ParkedAccount]):
    subscriber_id = serializers.UUIDField(read_only=True)
    what_to_do = serializers.SerializerMethodField()

    class Meta:
        model = ParkedAccount
        fields = ["id", "subscriber_id", "reason", "detail", "what_to_do", "resolved_at"]
        read_only_fields = fields

    def get_what_to_do(self, parked: ParkedAccount) -> str:
        return runs.WHAT_TO_DO[ParkReason(parked.reason)]


class NextLineSerializer(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(choices=LineKind.choices)
    service_id = serializers.UUIDField(allow_null=True)
    description = serializers.CharField()
    period_start = serializers.DateField(allow_null=True)
    period_end = serializers.DateField(allow_null=True, help_text="First day not covered.")
    net = AmountField()
    tax = AmountField()


class NextInvoiceSerializer(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(
        choices=InvoiceKind.choices, help_text="A credit note gives back; its amounts are above zero as well."
    )
    currency = serializers.CharField()
    net = AmountField()
    tax = AmountField()
    total = AmountField()
    lines = NextLineSerializer(many=True)


class NextParkedSerializer(serializers.Serializer[Any]):
    reason = serializers.ChoiceField(choices=ParkReason.choices)
    detail = serializers.CharField(allow_blank=True)
    what_to_do = serializers.CharField()


class NextInvoicesSerializer(serializers.Serializer[Any]):
    """The next invoice of one subscriber; `parked` says why a run could not bill."""

    subscriber_id = serializers.UUIDField()
    on = serializers.DateField()
    invoices = NextInvoiceSerializer(many=True)
    parked = NextParkedSerializer(allow_null=True)


class GenerateView(ApiView):
    """Start a billing run, or show one subscriber's next invoice."""

    app_label = "billing"

    @extend_schema(
        operation_id="billing_invoices_generate",
        request=GenerateInput,
        responses={
            200: PolymorphicProxySerializer(
                component_name="GeneratedInvoices",
                serializers=[BillingRunSerializer, NextInvoicesSerializer],
                resource_type_field_name=None,
            ),
            202: TaskSerializer,
        },
    )
    def post(self, request: Request) -> Response:
        """Plan a run over all lines that are due, and compare it with the last cycle.

        Nothing is issued before `billing/runs/{id}/approve` names the plan's hash. Runs in the background; the
        answer waits up to 10 seconds (`Prefer: wait=N`) and is 202 with the task when it takes longer. With
        `subscriber_id` it shows that subscriber's next invoice instead, and writes nothing.
        """
        data = valid(GenerateInput(data=request.data))
        at = timezone.now()
        if "subscriber_id" in data:
            return Response(_preview(data, at))
        run = runs.start_run(on=data.get("on"), at=at, user_id=caller_of(request._request).user_id)
        assert run.job is not None
        return accepted(request, run.job, default_wait=WAIT_SECONDS)


class RunFilter(HouseFilterSet):
    status = django_filters.ChoiceFilter(choices=RunStatus.choices)

    class Meta:
        model = BillingRun
        fields = {"on": ["exact", "gte", "lte"], "created_at": ["gte", "lte"]}


class RunViewSet(ListModelMixin, RetrieveModelMixin, TenantViewSet):
    """Billing runs. One is open at a time: planned, approved, issued; or discarded."""

    model = BillingRun
    serializer_class = BillingRunSerializer
    filterset_class = RunFilter
    prefetched = ("totals",)
    ordering_fields = ("on", "created_at")
    verbs: ClassVar[dict[str, str]] = {
        "approve": "change",
        "discard": "change",
        "differences": "view",
        "parked": "view",
    }

    @extend_schema(request=RunApprovalInput, responses={200: BillingRunSerializer, 202: TaskSerializer})
    @action(detail=True, methods=["post"])
    def approve(self, request: Request, pk: str) -> Response:
        """Issue the plan of this hash; 409 `plan_changed` when the plan is another by now.

        Runs in the background; the answer waits up to 10 seconds (`Prefer: wait=N`) and is 202 with the task when
        it takes longer.
        """
        found = self.get_object()
        data = valid(RunApprovalInput(data=request.data))
        run = runs.approve_run(
            run_id=found.pk,
            plan_hash=data["plan_hash"],
            at=timezone.now(),
            user_id=caller_of(request._request).user_id,
        )
        assert run.job is not None
        return accepted(request, run.job, default_wait=WAIT_SECONDS)

    @extend_schema(request=None, responses={200: BillingRunSerializer, 202: TaskSerializer})
    @action(detail=True, methods=["post"])
    def discard(self, request: Request, pk: str) -> Response:
        """Give a plan up and delete its drafts; what they would have billed is for the next run."""
        run = runs.discard_run(
            run_id=self.get_object().pk, at=timezone.now(), user_id=caller_of(request._request).user_id
        )
        assert run.job is not None
        return accepted(request, run.job, default_wait=WAIT_SECONDS)

    @extend_schema(responses=DifferenceSerializer(many=True), filters=False)
    @action(detail=True, filter_backends=[], ordering=("kind", "id"))
    def differences(self, request: Request, pk: str) -> Response:
        """List the subscribers whose amount is not that of their last cycle, and why."""
        rows: QuerySet[RunDifference] = RunDifference.objects.filter(run=self.get_object())
        page = self.paginate_queryset(rows.order_by("kind", "id"))
        return self.get_paginated_response(DifferenceSerializer(page, many=True).data)

    @extend_schema(responses=ParkedSerializer(many=True), filters=False)
    @action(detail=True, filter_backends=[], ordering=("id",))
    def parked(self, request: Request, pk: str) -> Response:
        """List the accounts the run left out, why, and what to do about each."""
        rows: QuerySet[ParkedAccount] = ParkedAccount.objects.filter(run=self.get_object())
        page = self.paginate_queryset(rows.order_by("id"))
        return self.get_paginated_response(ParkedSerializer(page, many=True).data)


def _preview(data: dict[str, Any], at: Any) -> dict[str, Any]:
    preview = runs.next_invoice(subscriber_id=data["subscriber_id"], on=data.get("on"), at=at)
    parked = preview.parked
    return {
        "subscriber_id": str(data["subscriber_id"]),
        "on": preview.on.isoformat(),
        "invoices": [
            {
                **NextInvoiceSerializer(
                    {
                        "kind": each.kind, "currency": each.currency,
                        "net": each.net, "tax": each.tax, "total": each.total,
                        "lines": [
                            {
                                "kind": line.kind, "service_id": line.subscription_id,
                                "description": line.description, "period_start": line.period_start,
                                "period_end": line.period_end, "net": line.net, "tax": line.tax,
                                "currency": each.currency,
                            }
                            for line in each.lines
                        ],
                    }
                ).data
            }
            for each in preview.invoices
        ],
        "parked": parked
        and {
            "reason": parked.reason,
            "detail": parked.detail,
            "what_to_do": runs.WHAT_TO_DO[ParkReason(parked.reason)],
        },
    }  # fmt: skip


@present("billing.plan_run")
@present("billing.issue_run")
@present("billing.drop_run")
def run_result(job: Job) -> dict[str, Any]:
    """Show the run itself as what its job came to."""
    assert job.result is not None
    found = BillingRun.objects.prefetch_related("totals").get(pk=job.result["run_id"])
    return dict(BillingRunSerializer(found).data)
