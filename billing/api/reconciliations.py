"""Bank statements and their lines: what came in, who paid it, and what waits for a person."""

from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.amounts import AMOUNT, AmountField
from billing.models import (
    BankLine,
    BankStatement,
    BankSuggestion,
    LineState,
    MatchRule,
    StatementFormat,
    StatementStatus,
)
from billing.selectors import with_line_counts
from billing.services import bank
from ispcore.api.fields import HouseSerializer, IdField, StrictSerializer, TextField
from ispcore.api.filters import HouseFilterSet
from ispcore.api.parsers import UploadParser
from ispcore.api.request import caller_of
from ispcore.api.views import ListModelMixin, RecordViewSet, RetrieveModelMixin, TenantViewSet, valid
from ispcore.jobs.api import TaskSerializer, accepted
from ispcore.jobs.models import Job
from ispcore.jobs.results import present

WAIT_SECONDS = 10
FORMATS = [*StatementFormat.choices, ("", "Not read yet")]
RULES = [*MatchRule.choices, ("", "Not matched")]


class BankStatementInput(StrictSerializer):
    file = serializers.FileField(
        allow_empty_file=True, help_text="A statement as CSV or camt.053, at most 20 MiB and 50,000 lines."
    )
    account = TextField(
        required=False, max_length=40, help_text="IBAN or number of our account, of a file that names none."
    )
    currency = serializers.RegexField(
        r"^[A-Za-z]{3}\Z", required=False, help_text="ISO 4217, of a file that names none."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        # The framework takes an empty part of a form for none at all.
        blank = [name for name, given in self.initial_data.items() if given == ""]
        if blank:
            raise serializers.ValidationError(
                dict.fromkeys(blank, "This field may not be blank."), code="blank"
            )
        return attrs


@extend_schema_field({"type": ["string", "null"], "pattern": AMOUNT, "examples": ["1029.90"]})
class BalanceField(AmountField):
    """A balance a statement may not have."""


class BankStatementSerializer(HouseSerializer[BankStatement]):
    file_format = serializers.ChoiceField(choices=FORMATS, read_only=True)
    opening_balance = BalanceField()
    closing_balance = BalanceField()
    matched = serializers.IntegerField(read_only=True, help_text="Lines booked.")
    suggested = serializers.IntegerField(read_only=True, help_text="Lines that wait for a confirmation.")
    unmatched = serializers.IntegerField(read_only=True, help_text="Lines of which nobody is known.")
    ignored = serializers.IntegerField(read_only=True, help_text="Lines left out, such as what went out.")
    task_id = serializers.UUIDField(source="job_id", read_only=True, allow_null=True)
    created_by_id = serializers.UUIDField(read_only=True, allow_null=True)

    class Meta:
        model = BankStatement
        fields = [
            "id", "name", "sha256", "file_format", "status", "message", "account", "currency", "from_on", "to_on",
            "opening_balance", "closing_balance", "matched", "suggested", "unmatched", "ignored", "lines_known",
            "task_id", "created_by_id", "finished_at", "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = fields


class StatementFilter(HouseFilterSet):
    status = django_filters.ChoiceFilter(choices=StatementStatus.choices)
    sha256 = django_filters.CharFilter(field_name="sha256")

    class Meta:
        model = BankStatement
        fields = {"account": ["exact"], "from_on": ["gte", "lte"], "to_on": ["gte", "lte"]}


class ReconciliationViewSet(ListModelMixin, RetrieveModelMixin, TenantViewSet):
    """Bank statements: each file is taken in whole or refused whole, and the same file once."""

    model = BankStatement
    serializer_class = BankStatementSerializer
    filterset_class = StatementFilter
    ordering_fields = ("created_at", "from_on", "to_on")

    def get_parsers(self) -> list[Any]:
        """Take a form where a file comes, and JSON everywhere else."""
        method = (self.request.method or "").lower() if self.request else ""
        action_name = getattr(self, "action", None) or getattr(self, "action_map", {}).get(method)
        return [UploadParser()] if action_name == "create" else super().get_parsers()

    def get_queryset(self) -> QuerySet[Any]:
        return with_line_counts(super().get_queryset())

    @extend_schema(request=BankStatementInput, responses={200: BankStatementSerializer, 202: TaskSerializer})
    def create(self, request: Request) -> Response:
        """Take in a bank statement, book what is certain, and leave the rest with suggestions.

        Certain is a number of an invoice or customer together with the amount or the payer's name. Runs in the
        background; the answer waits up to 10 seconds (`Prefer: wait=N`) and is 202 with the task when it takes longer.
        The same file again is 409 `duplicate_statement`.
        """
        data = valid(BankStatementInput(data=request.data))
        file = data.pop("file")
        started = bank.request_reconciliation(
            name=file.name or "",
            content=file.chunks(),
            **data,
            user_id=caller_of(request._request).user_id,
        )
        assert started.job is not None
        return accepted(request, started.job, default_wait=WAIT_SECONDS)


class BankSuggestionSerializer(serializers.ModelSerializer[BankSuggestion]):
    subscriber_id = serializers.UUIDField(read_only=True)
    subscriber_number = serializers.CharField(source="subscriber.number", read_only=True)
    subscriber_name = serializers.CharField(source="subscriber.full_name", read_only=True)
    invoice_id = serializers.UUIDField(read_only=True, allow_null=True)
    payment_id = serializers.UUIDField(
        read_only=True, allow_null=True, help_text="One that was entered before the statement came."
    )

    class Meta:
        model = BankSuggestion
        fields = [
            "subscriber_id", "subscriber_number", "subscriber_name", "invoice_id", "payment_id", "rule", "reason",
        ]  # fmt: skip
        read_only_fields = fields


class BankLineSerializer(HouseSerializer[BankLine]):
    reconciliation_id = serializers.UUIDField(source="statement_id", read_only=True)
    amount = AmountField(help_text="Below zero: money that went out.")
    rule = serializers.ChoiceField(choices=RULES, read_only=True)
    payment_id = serializers.UUIDField(read_only=True, allow_null=True)
    settled_by_id = serializers.UUIDField(read_only=True, allow_null=True)
    suggestions = BankSuggestionSerializer(many=True, read_only=True)

    class Meta:
        model = BankLine
        fields = [
            "id", "reconciliation_id", "account", "line_number", "booked_on", "amount", "currency", "payer_name",
            "payer_account", "text", "end_to_end_id", "servicer_reference", "is_reversal", "state", "note", "rule",
            "payment_id", "suggestions", "settled_at", "settled_by_id", "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = fields


class LineFilter(HouseFilterSet):
    reconciliation_id = django_filters.UUIDFilter(field_name="statement_id")
    state = django_filters.ChoiceFilter(choices=LineState.choices)
    payment_id = django_filters.UUIDFilter(field_name="payment_id")

    class Meta:
        model = BankLine
        fields = {"booked_on": ["gte", "lte"], "amount": ["exact", "gte", "lte"]}


class BankPairInput(StrictSerializer):
    subscriber_id = IdField(help_text="Who paid.")
    invoice_id = IdField(required=False, help_text="What is paid first; the oldest due when left out.")
    payment_id = IdField(required=False, help_text="A payment entered before: nothing is booked again.")


class BankReasonInput(StrictSerializer):
    reason = TextField(required=False, max_length=200)


class BankLineViewSet(RecordViewSet):
    """Lines of bank statements, with who may have paid them."""

    model = BankLine
    serializer_class = BankLineSerializer
    filterset_class = LineFilter
    prefetched = ("suggestions__subscriber",)
    ordering_fields = ("created_at", "booked_on", "amount", "line_number")
    verbs: ClassVar[dict[str, str]] = {"pair": "change", "ignore": "change", "unpair": "change"}

    @extend_schema(request=BankPairInput, responses=BankLineSerializer)
    @action(detail=True, methods=["post"])
    def pair(self, request: Request, pk: str) -> Response:
        """Book a line as a customer's payment, or tie it to one that was entered before. Safe to repeat."""
        found = self.get_object()
        data = valid(BankPairInput(data=request.data))
        return self.show_changed(
            bank.pair(
                line_id=found.pk, at=timezone.now(), user_id=caller_of(request._request).user_id, **data
            )
        )

    @extend_schema(request=BankReasonInput, responses=BankLineSerializer)
    @action(detail=True, methods=["post"])
    def ignore(self, request: Request, pk: str) -> Response:
        """Leave a line out: it is no customer's payment. Safe to repeat."""
        found = self.get_object()
        data = valid(BankReasonInput(data=request.data))
        return self.show_changed(
            bank.ignore(
                line_id=found.pk, at=timezone.now(), user_id=caller_of(request._request).user_id, **data
            )
        )

    @extend_schema(request=BankReasonInput, responses=BankLineSerializer)
    @action(detail=True, methods=["post"])
    def unpair(self, request: Request, pk: str) -> Response:
        """Take back what became of a line; the payment booked for it is taken back, too. Safe to repeat."""
        found = self.get_object()
        data = valid(BankReasonInput(data=request.data))
        return self.show_changed(
            bank.unpair(
                line_id=found.pk, at=timezone.now(), user_id=caller_of(request._request).user_id, **data
            )
        )


@present(bank.KIND)
def reconciliation_result(job: Job) -> dict[str, Any]:
    """Show the statement itself as what its job came to."""
    assert job.result is not None
    found = with_line_counts(BankStatement.objects.all()).get(pk=job.result["statement_id"])
    return dict(BankStatementSerializer(found).data)
