"""Reports: debt by age, recurring revenue, taxes, what came in each day, and the journal as a file."""

from datetime import date, timedelta
from typing import Any

from django.http.response import HttpResponseBase
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.amounts import AmountField
from billing.models import PaymentMethod
from billing.services import reports
from ispcore.api.errors import ApiError
from ispcore.api.views import ApiView, day_of_query
from ispcore.files import tabular
from subscribers.services.periods import local_date

MONTHS_SHOWN = 12
DAY = {"type": "string", "format": "date"}
CURRENCY = {"type": "string", "pattern": "^[A-Z]{3}$"}
PERIOD = [
    OpenApiParameter("from", DAY, description="The first day; default: the first of this month."),
    OpenApiParameter(
        "until", DAY, description="The first day no longer, at most 366 later; default: tomorrow."
    ),
]


class ReportView(ApiView):
    """What all reports share."""

    app_label = "billing"
    more_errors = ("422",)


class _Buckets(serializers.Serializer[Any]):
    currency = serializers.CharField()
    current = AmountField(help_text="Not due yet.")
    days_1_30 = AmountField(help_text="Due for 1 to 30 days.")
    days_31_60 = AmountField()
    days_61_90 = AmountField()
    days_over_90 = AmountField()
    total = AmountField(help_text="All that is open.")


class DebtTotalSerializer(_Buckets):
    subscribers = serializers.IntegerField()
    credit = AmountField(help_text="What customers paid or were given and no invoice used yet.")
    balance = AmountField(help_text="Total less credit, as the ledger has it.")


class DebtOfSubscriberSerializer(_Buckets):
    subscriber_id = serializers.UUIDField()
    number = serializers.CharField()
    full_name = serializers.CharField()
    oldest_days = serializers.IntegerField(help_text="Since the oldest is due; below zero: until it is.")


class AgedDebtSerializer(serializers.Serializer[Any]):
    on = serializers.DateField()
    totals = DebtTotalSerializer(many=True)
    subscribers = DebtOfSubscriberSerializer(many=True)


class AgedDebtView(ReportView):
    """Who owes what."""

    query_parameters = frozenset({"currency"})

    @extend_schema(
        responses=AgedDebtSerializer,
        operation_id="billing_aged_debt",
        parameters=[OpenApiParameter("currency", CURRENCY, description="Only of this currency.")],
    )
    def get(self, request: Request) -> Response:
        """Show what is open today by the days since it was due, of all and of the 200 who owe most."""
        currency = request.query_params.get("currency", "")
        if currency and not (len(currency) == 3 and currency.isascii() and currency.isupper()):
            raise ApiError(422, "validation_error", "`currency` is three capital letters.", field="currency")
        found = reports.aged_debt(on=local_date(timezone.now()), currency=currency)
        return Response(AgedDebtSerializer(found).data)


class RecurringMonthSerializer(serializers.Serializer[Any]):
    month = serializers.DateField(help_text="Its first day.")
    currency = serializers.CharField()
    mrr = AmountField(help_text="Before tax, per month; quarters and years divided by their months.")
    before = AmountField(help_text="That of the month before.")
    new = AmountField(help_text="Of customers billed for the first time.")
    reactivated = AmountField(
        help_text="Of customers who had nothing in the month before, and had before that."
    )
    expansion = AmountField(help_text="More than the month before.")
    contraction = AmountField(help_text="Less than the month before.")
    churned = AmountField(help_text="Of customers who have nothing any more.")
    subscribers = serializers.IntegerField()
    subscribers_new = serializers.IntegerField()
    subscribers_reactivated = serializers.IntegerField()
    subscribers_churned = serializers.IntegerField()
    churn_percent = serializers.DecimalField(
        max_digits=5, decimal_places=1, help_text="Of the customers of the month before."
    )


class RecurringView(ReportView):
    """What comes in each month by itself."""

    query_parameters = frozenset({"from", "until"})

    @extend_schema(
        responses=RecurringMonthSerializer(many=True),
        operation_id="billing_recurring_revenue",
        parameters=[
            OpenApiParameter(
                "from", DAY, description="A day of the first month; default: 11 months before `until`."
            ),
            OpenApiParameter(
                "until", DAY, description="A day of the last month, at most 36; default: today."
            ),
        ],
    )
    def get(self, request: Request) -> Response:
        """Show monthly recurring revenue and why it changed, by month and currency, from what was billed.

        A month counts as on its last day, the running one as today. `mrr` is `before` + `new` + `reactivated` +
        `expansion` - `contraction` - `churned`.
        """
        today = local_date(timezone.now())
        last = day_of_query(request, "until") or today
        first = day_of_query(request, "from") or reports.months_before(last, MONTHS_SHOWN - 1)
        found = reports.recurring(first=first, last=last, on=today)
        return Response(RecurringMonthSerializer(found, many=True).data)


class TaxRowSerializer(serializers.Serializer[Any]):
    currency = serializers.CharField()
    name = serializers.CharField(help_text="Empty: what bears no tax.")
    percent = serializers.DecimalField(max_digits=7, decimal_places=4)
    base = AmountField(help_text="Net.")
    tax = AmountField()


class TaxTotalSerializer(serializers.Serializer[Any]):
    currency = serializers.CharField()
    net = AmountField()
    tax = AmountField()
    invoices = serializers.IntegerField()
    given_back = serializers.IntegerField(help_text="Credit notes, and invoices made void.")
    booked_tax = AmountField(help_text="As the ledger has it.")


class TaxReportSerializer(serializers.Serializer[Any]):
    since = serializers.DateField()
    until = serializers.DateField()
    rates = TaxRowSerializer(many=True)
    totals = TaxTotalSerializer(many=True)


class TaxReportView(ReportView):
    """Which taxes were asked for."""

    query_parameters = frozenset({"from", "until"})

    @extend_schema(responses=TaxReportSerializer, operation_id="billing_tax_report", parameters=PERIOD)
    def get(self, request: Request) -> Response:
        """Show the taxes of the invoices issued in a period by rate, less credit notes and what was made void."""
        since, until = _period(request)
        found = reports.taxes(since=since, until=until)
        shown = {"since": since, "until": until, "rates": found.rates, "totals": found.totals}
        return Response(TaxReportSerializer(shown).data)


class CashRowSerializer(serializers.Serializer[Any]):
    day = serializers.DateField()
    method = serializers.ChoiceField(choices=PaymentMethod.choices)
    user_id = serializers.UUIDField(allow_null=True)
    user_name = serializers.CharField(help_text="Empty: the system.")
    currency = serializers.CharField()
    payments = serializers.IntegerField()
    received = AmountField()
    given_back = AmountField(help_text="Refunds and bounced payments.")
    net = AmountField()


class CashView(ReportView):
    """What came in each day."""

    query_parameters = frozenset({"from", "until"})

    @extend_schema(
        responses=CashRowSerializer(many=True), operation_id="billing_daily_cash", parameters=PERIOD
    )
    def get(self, request: Request) -> Response:
        """Show what was received and given back per day, method and person, as the ledger booked it."""
        since, until = _period(request)
        return Response(CashRowSerializer(reports.cash(since=since, until=until), many=True).data)


class JournalView(ReportView):
    """The accounting export."""

    query_parameters = frozenset({"from", "until"})

    @extend_schema(
        responses={(200, tabular.CSV_TYPE.partition(";")[0]): OpenApiTypes.BINARY},
        operation_id="billing_journal",
        parameters=PERIOD,
    )
    def get(self, request: Request) -> HttpResponseBase:
        """Fetch the general journal of a period as CSV: each transfer with debit, credit and amount."""
        since, until = _period(request)
        return reports.journal_file(since=since, until=until)

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Let a caller of the file accept what it is; errors stay JSON."""
        return super().perform_content_negotiation(request, force=True)


def _period(request: Request) -> tuple[date, date]:
    today = local_date(timezone.now())
    until = day_of_query(request, "until") or today + timedelta(days=1)
    since = day_of_query(request, "from") or min(today.replace(day=1), until - timedelta(days=1))
    return since, until
