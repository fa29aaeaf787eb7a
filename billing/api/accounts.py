"""A customer's account: what is owed, and what was booked."""

from datetime import date
from decimal import Decimal
from typing import Any, ClassVar

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.amounts import amount_text
from billing.api.invoices import pdf_response
from billing.models import Language, TransferKind
from billing.services import accounts
from billing.services.documents import statement_csv, statement_pdf, statements
from ispcore.api.errors import ApiError
from ispcore.api.views import ApiView, find_by_reference
from subscribers.models import Subscriber
from subscribers.services.periods import local_date

FORMS = ("json", "csv", "pdf")
CURRENCY = OpenApiParameter(
    "currency",
    {"type": "string", "pattern": "^[A-Z]{3}$"},
    description="ISO 4217; that of the billing profile, when left out.",
)
WHO = OpenApiParameter("id", str, "path", description="The customer's id or number.")


class BalanceSerializer(serializers.Serializer[Any]):
    balance = serializers.CharField(help_text="Above zero: owed. Below zero: credit. From the ledger.")
    currency = serializers.CharField()
    overdue = serializers.CharField(help_text="Of it, what is open past its due day.")
    credit = serializers.CharField(help_text="What the customer has left with the provider.")
    as_of = serializers.DateTimeField()


class AccountEntrySerializer(serializers.Serializer[Any]):
    booked_on = serializers.DateField()
    kind = serializers.ChoiceField(choices=TransferKind.choices)
    reference = serializers.CharField(help_text="The number of the invoice, or the reference of the payment.")
    amount = serializers.CharField(help_text="Above zero: owed. Below zero: paid or credited.")
    balance = serializers.CharField(help_text="After it.")


class AccountStatementSerializer(serializers.Serializer[Any]):
    subscriber_id = serializers.UUIDField()
    currency = serializers.CharField()
    first = serializers.DateField()
    last = serializers.DateField()
    opening_balance = serializers.CharField()
    closing_balance = serializers.CharField()
    entries = AccountEntrySerializer(many=True)


class AccountView(ApiView):
    """What belongs to one customer's account."""

    app_label = "billing"
    more_errors = ("409", "422")

    def customer(self, reference: str) -> Subscriber:
        rows = Subscriber.objects.select_related("billing_profile")
        found: Subscriber = find_by_reference(rows, reference, number_field="number")
        return found

    def currency(self, request: Request, subscriber: Subscriber) -> str:
        wanted = request.query_params.get("currency", "")
        if wanted and not (len(wanted) == 3 and wanted.isascii() and wanted.isalpha() and wanted.isupper()):
            message = "`currency` is three letters of ISO 4217, for example EUR."
            raise ApiError(400, "malformed_request", message, field="currency")
        return wanted or accounts.currency_of(subscriber)


class BalanceView(AccountView):
    query_parameters: ClassVar[frozenset[str]] = frozenset({"currency"})

    @extend_schema(
        responses=BalanceSerializer, operation_id="billing_account_balance", parameters=[WHO, CURRENCY]
    )
    def get(self, request: Request, pk: str) -> Response:
        """Tell what a customer owes. 409 `currency_missing` where nothing says in which currency."""
        at, subscriber = timezone.now(), self.customer(pk)
        currency = self.currency(request, subscriber)
        found = accounts.balance_of(subscriber, on=local_date(at), currency=currency)
        return Response(
            {
                "balance": amount_text(found.balance, currency),
                "currency": currency,
                "overdue": amount_text(found.overdue, currency),
                "credit": amount_text(found.credit, currency),
                "as_of": at,
            }
        )


class StatementView(AccountView):
    query_parameters: ClassVar[frozenset[str]] = frozenset({"currency", "from", "to", "as", "language"})

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Let a caller accept what it asks for; errors stay JSON."""
        return super().perform_content_negotiation(request, force=True)

    @extend_schema(
        responses={
            200: AccountStatementSerializer,
            (200, "text/csv"): OpenApiTypes.BINARY,
            (200, "application/pdf"): OpenApiTypes.BINARY,
        },
        operation_id="billing_account_statement",
        parameters=[
            WHO,
            CURRENCY,
            OpenApiParameter(
                "from", date, description="The first day; the first of this year, when left out."
            ),
            OpenApiParameter("to", date, description="The last day; today, when left out."),
            OpenApiParameter("as", str, enum=FORMS, description="json, when left out."),
            OpenApiParameter("language", str, enum=Language.values, description="Of the PDF."),
        ],
    )
    def get(self, request: Request, pk: str) -> Any:
        """List what was booked for a customer, with the balance after each entry: as JSON, CSV or PDF.

        409 `statement_too_long` for more than 5,000 entries.
        """
        at, subscriber = timezone.now(), self.customer(pk)
        today = local_date(at)
        form = _one_of(request, "as", FORMS) or "json"
        language = _one_of(request, "language", Language.values)
        statement = statements.statement_of(
            subscriber,
            currency=self.currency(request, subscriber),
            first=_day(request, "from") or today.replace(month=1, day=1),
            last=_day(request, "to") or today,
        )
        name = f"{subscriber.number}-{statement.first}-{statement.last}"
        if form == "csv":
            response = HttpResponse(statement_csv(statement), content_type="text/csv; charset=utf-8")
            response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
            return response
        if form == "pdf":
            return pdf_response(statement_pdf(statement, at=at, language=language), f"{name}.pdf")
        return Response(_shown(statement))


def _shown(statement: statements.Statement) -> dict[str, Any]:
    def money(amount: Decimal) -> str:
        return amount_text(amount, statement.currency)

    return {
        "subscriber_id": str(statement.subscriber.pk),
        "currency": statement.currency,
        "first": statement.first,
        "last": statement.last,
        "opening_balance": money(statement.opening),
        "closing_balance": money(statement.closing),
        "entries": [
            {
                "booked_on": entry.booked_on,
                "kind": entry.kind,
                "reference": entry.reference,
                "amount": money(entry.amount),
                "balance": money(entry.balance),
            }
            for entry in statement.entries
        ],
    }


def _one_of(request: Request, name: str, known: Any) -> str:
    value: str = request.query_params.get(name, "")
    if value and value not in known:
        message = f"`{name}` knows: {', '.join(known)}."
        raise ApiError(400, "malformed_request", message, field=name)
    return value


def _day(request: Request, name: str) -> date | None:
    value = request.query_params.get(name)
    try:
        return date.fromisoformat(value) if value else None
    except ValueError as error:
        message = f"`{name}` is a day such as 2026-03-01."
        raise ApiError(400, "malformed_request", message, field=name) from error
