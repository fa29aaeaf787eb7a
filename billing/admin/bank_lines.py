"""Lines of bank statements: what is booked, what is to be confirmed, whom nobody knows."""

from typing import Any

from django.contrib import admin
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html

from billing.admin.pairing import PairForm, ReasonForm
from billing.admin.words import amount_column, numbered_link
from billing.models import BankLine, BankSuggestion, LineState
from billing.services import bank
from ispcore.admin import links, navigation
from ispcore.admin.actions import action, run_on_each
from ispcore.admin.base import DrawnPage, ReadOnlyAdmin
from ispcore.admin.formats import DASH, day, day_column, moment, money, pill
from ispcore.admin.site import register

STATE_TONES = {
    LineState.MATCHED: "good",
    LineState.SUGGESTED: "info",
    LineState.UNMATCHED: "warning",
    LineState.IGNORED: "plain",
}
WAITING = (LineState.SUGGESTED, LineState.UNMATCHED)


def best_first() -> Prefetch:
    """Read the suggestions with the lines, as `best_first` of each."""
    rows = BankSuggestion.objects.select_related("subscriber", "invoice").order_by("-is_certain", "pk")
    return Prefetch("suggestions", rows, to_attr="best_first")


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("waiting", "Waiting"), *LineState.choices]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() == "waiting":
            return queryset.filter(state__in=WAITING)
        return queryset.filter(state=self.value()) if self.value() in LineState.values else queryset


def _is_waiting(line: BankLine) -> bool:
    return line.state in WAITING


def _is_suggested(line: Any) -> bool:
    return _is_waiting(line) and bool(line.best_first)


@register(BankLine)
class BankLineAdmin(DrawnPage, ReadOnlyAdmin):
    """The work list: what came in, and who may have paid it."""

    list_display = (
        day_column("booked_on", "Day"),
        amount_column("amount", "Amount"),
        "payer",
        "text_shown",
        "state_shown",
        "who",
    )
    list_filter = (StateFilter, ("statement", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("payment__subscriber",)
    ordering = ("-pk",)
    sortable_by = ()
    actions = ("book_them", "ignore_them")
    object_actions = ("book", "pair", "ignore", "unpair")
    change_form_outer_before_template = "admin/billing/bank/line.html"
    empty_title = "The bank has told of nothing yet"
    empty_help = (
        "Each movement of a bank statement stands here: what was booked and for whom, what is to be confirmed, and "
        "what nobody could be found for. Upload a statement to fill the list."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        rows = super().get_queryset(request).select_related("statement", "settled_by", "payment__subscriber")
        return rows.prefetch_related(best_first())

    def has_settle_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether this person may say what becomes of a line; the pages themselves only show."""
        return request.user.has_perm("billing.change_bankline")

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        if line := kwargs.get("obj"):
            context |= {
                "title": f"{line.payer_name or 'A movement'}, {day(line.booked_on)}",
                "amount": money(line.amount, line.currency),
                "state": self.state_shown(line),
                "facts": self._facts(line),
                "suggestions": [_suggested(each) for each in line.best_first],
                "is_waiting": _is_waiting(line),
            }
        return super().render_change_form(request, context, *args, **kwargs)

    def _facts(self, line: BankLine) -> list[tuple[str, Any]]:
        return [
            ("Booked on", day(line.booked_on)),
            ("Payer", line.payer_name or DASH),
            ("Payer's account", line.payer_account or DASH),
            ("Text", line.text or DASH),
            ("End-to-end id", line.end_to_end_id or DASH),
            ("The bank's reference", line.servicer_reference or DASH),
            ("Statement", links.link(links.url_of("statement", line.statement_id), str(line.statement))),
            ("Booked for", numbered_link(line.payment.subscriber) if line.payment else DASH),
            ("Matched by", line.get_rule_display() or DASH),
            ("Settled", moment(line.settled_at)),
            ("Settled by", str(line.settled_by or ("the system" if line.settled_at else DASH))),
        ]

    @action(
        description="Book as suggested",
        permissions=["settle"],
        confirm="The amount is booked as a payment of the customer who is suggested first.",
        button="Book it",
        icon="done",
        available=_is_suggested,
    )
    def book(self, request: HttpRequest, queryset: QuerySet) -> None:
        self._book(request, queryset)

    @action(
        description="Pair…",
        permissions=["settle"],
        confirm="The amount is booked as a payment of this customer, and used for what is due.",
        button="Book it",
        icon="person_search",
        form=PairForm,
        available=lambda line: line.state != LineState.MATCHED and line.amount > 0,
    )
    def pair(self, request: HttpRequest, queryset: QuerySet, data: dict[str, Any]) -> None:
        run_on_each(
            self,
            request,
            queryset,
            lambda line: bank.pair(
                line_id=line.pk, at=timezone.now(), user_id=request.user.pk, **data["pairing"]
            ),
            done="Booked.",
        )

    @action(
        description="Leave out",
        permissions=["settle"],
        confirm="It is no customer's payment: nothing is booked, and it is taken off the work list.",
        icon="block",
        form=ReasonForm,
        available=_is_waiting,
    )
    def ignore(self, request: HttpRequest, queryset: QuerySet, data: dict[str, Any]) -> None:
        self._ignore(request, queryset, data["reason"])

    @action(
        description="Take back",
        permissions=["settle"],
        confirm="The line waits again. A payment that was booked for it is taken back: what it paid is owed again.",
        icon="undo",
        danger=True,
        form=ReasonForm,
        available=lambda line: line.amount > 0 and not _is_waiting(line),
    )
    def unpair(self, request: HttpRequest, queryset: QuerySet, data: dict[str, Any]) -> None:
        run_on_each(
            self,
            request,
            queryset,
            lambda line: bank.unpair(
                line_id=line.pk, reason=data["reason"], at=timezone.now(), user_id=request.user.pk
            ),
            done="Taken back: {count}.",
        )

    @action(
        description="Book as suggested…",
        permissions=["settle"],
        confirm="Each is booked as a payment of the customer who is suggested first; those without a suggestion stay.",
        button="Book them",
    )
    def book_them(self, request: HttpRequest, queryset: QuerySet) -> None:
        self._book(request, queryset)

    @action(
        description="Leave out…",
        permissions=["settle"],
        confirm="They are no customer's payments: nothing is booked, and they are taken off the work list.",
        button="Leave them out",
    )
    def ignore_them(self, request: HttpRequest, queryset: QuerySet) -> None:
        self._ignore(request, queryset, "")

    def _book(self, request: HttpRequest, queryset: QuerySet) -> None:
        at = timezone.now()
        run_on_each(
            self,
            request,
            [line for line in queryset.order_by("pk") if _is_suggested(line)],
            lambda line: bank.pair(
                line_id=line.pk,
                subscriber_id=line.best_first[0].subscriber_id,
                invoice_id=line.best_first[0].invoice_id,
                payment_id=line.best_first[0].payment_id,
                at=at,
                user_id=request.user.pk,
            ),
            done="Booked: {count}.",
        )

    def _ignore(self, request: HttpRequest, queryset: QuerySet, reason: str) -> None:
        at = timezone.now()
        run_on_each(
            self,
            request,
            queryset.order_by("pk"),
            lambda line: bank.ignore(line_id=line.pk, reason=reason, at=at, user_id=request.user.pk),
            done="Left out: {count}.",
        )

    @admin.display(description="Payer")
    def payer(self, obj: BankLine) -> str:
        return obj.payer_name or DASH

    @admin.display(description="Text")
    def text_shown(self, obj: BankLine) -> str:
        return obj.text[:80] or DASH

    @admin.display(description="State")
    def state_shown(self, obj: BankLine) -> str:
        return pill(obj.get_state_display(), STATE_TONES[LineState(obj.state)])

    @admin.display(description="Customer")
    def who(self, obj: Any) -> Any:
        if obj.payment:
            return numbered_link(obj.payment.subscriber)
        if obj.best_first and _is_waiting(obj):
            return format_html("<span>{}?</span>", obj.best_first[0].subscriber.full_name)
        return DASH


def _suggested(each: BankSuggestion) -> dict[str, Any]:
    return {
        "who": numbered_link(each.subscriber),
        "reason": each.reason,
        "rule": pill(each.get_rule_display(), "info"),
        "invoice": str(each.invoice) if each.invoice else DASH,
        "open": money(each.invoice.open_amount, each.invoice.currency) if each.invoice else DASH,
    }


navigation.add_list(
    "Billing", 51, "Bank lines", BankLine, icon="rule", under="admin:billing_bankstatement_changelist"
)
