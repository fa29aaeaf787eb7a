"""Bank statements and their lines: what is booked, what is to be confirmed, whom nobody knows."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import formats, timezone
from django.utils.html import format_html

from billing.admin import reports
from billing.admin.pairing import PairForm, ReasonForm
from billing.models import (
    BankLine,
    BankStatement,
    BankSuggestion,
    LineState,
    StatementStatus,
)
from billing.selectors import with_line_counts
from billing.services import bank
from ispcore.admin import links, navigation, results
from ispcore.admin.actions import action, run_on_each
from ispcore.admin.base import DrawnPage, ReadOnlyAdmin, TenantForm, TenantModelAdmin
from ispcore.admin.dashboard import Bar, Chart, Part, share
from ispcore.admin.formats import DASH, choice_column, facts, moment, money, pill, time_column
from ispcore.admin.site import register
from ispcore.jobs.admin import state_of
from ispcore.jobs.models import Job
from subscribers.admin.saving import saved

SHOWN_LINES = 25
STATUS_TONES = {
    StatementStatus.READING: "info",
    StatementStatus.MATCHING: "info",
    StatementStatus.DONE: "good",
    StatementStatus.FAILED: "danger",
}
STATE_TONES = {
    LineState.MATCHED: "good",
    LineState.SUGGESTED: "info",
    LineState.UNMATCHED: "warning",
    LineState.IGNORED: "plain",
}
WAITING = (LineState.SUGGESTED, LineState.UNMATCHED)


def figures(count: int) -> str:
    return f"{count:,}".replace(",", "\u202f")


class UploadForm(TenantForm):
    # Not the model's own name: Django would put the upload itself where a stored file belongs.
    refused_fields: ClassVar = {"file": "upload"}

    upload = forms.FileField(
        label="Statement",
        help_text="The bank's download as CSV or camt.053 (XML), at most 20 MiB. The same file is taken in once.",
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,.xml,.053", "class": "isp-input"}),
        allow_empty_file=True,
    )

    class Meta:
        model = BankStatement
        fields = ("account", "currency")
        labels: ClassVar = {"account": "Our account"}
        help_texts: ClassVar = {
            "account": "IBAN or number, of a CSV file that does not name it. By it overlapping files are known.",
            "currency": "Such as EUR, of a CSV file that names none. Empty: that of your billing profiles.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("account", "currency"):
            if name in self.fields:
                self.fields[name].required = False

    def clean_currency(self) -> str:
        code: str = self.cleaned_data["currency"].strip().upper()
        if code and not (len(code) == 3 and code.isascii() and code.isalpha()):
            raise forms.ValidationError("Three letters of ISO 4217, such as EUR.")
        return code

    def validate_constraints(self) -> None:
        return None

    def _check_unique_in_tenant(self) -> None:
        return None


@register(BankStatement)
class BankStatementAdmin(TenantModelAdmin):
    """Files of the bank. What becomes of their lines is steered line by line."""

    form = UploadForm
    list_display = (
        "name",
        choice_column("status", "Status", STATUS_TONES),
        "account_shown",
        "days",
        "booked",
        "waiting",
        time_column("created_at", "Uploaded"),
    )
    list_filter = ("status",)
    ordering = ("-created_at",)
    sortable_by = ("created_at_with_age",)
    search_fields = ("name",)
    search_help_text = "Part of the file's name"
    change_form_outer_before_template = "admin/billing/bank/statement.html"
    add_fieldsets = ((None, {"fields": ("upload", "account", "currency")}),)
    empty_title = "No bank statement was taken in yet"
    empty_help = (
        "Upload what your bank offers for download, as CSV or camt.053. Each incoming payment is matched with who paid "
        "it: what names an invoice or a customer and agrees with the amount or the payer is booked at once, the rest "
        "waits here with suggestions. The same file again books nothing."
    )
    docs_path = "/docs"

    def get_urls(self) -> list[Any]:
        # Reports are of no one model; their pages hang here.
        return [*reports.urls(self), *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return with_line_counts(super().get_queryset(request)).select_related("job", "created_by")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return () if obj else self.add_fieldsets

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: BankStatement, form: Any, change: bool) -> None:
        given = form.cleaned_data
        made = bank.request_reconciliation(
            name=given["upload"].name or "",
            content=given["upload"].chunks(),
            account=given["account"],
            currency=given["currency"],
            user_id=request.user.pk,
        )
        saved(obj, made)

    def response_add(
        self, request: HttpRequest, obj: BankStatement, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        return redirect("admin:billing_bankstatement_change", obj.pk)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        if obj := kwargs.get("obj"):
            context |= _page(obj)
        else:
            context |= {
                "title": "Upload a bank statement",
                "show_save_and_add_another": False,
                "show_save_and_continue": False,
            }
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description="Account")
    def account_shown(self, obj: BankStatement) -> str:
        return obj.account or DASH

    @admin.display(description="Days")
    def days(self, obj: BankStatement) -> str:
        return _days(obj)

    @admin.display(description="Booked")
    def booked(self, obj: Any) -> str:
        return figures(obj.matched)

    @admin.display(description="Waiting")
    def waiting(self, obj: Any) -> Any:
        count = obj.suggested + obj.unmatched
        return links.link(_lines_url(obj, "waiting"), figures(count)) if count else "0"


def _days(obj: BankStatement) -> str:
    if obj.from_on is None or obj.to_on is None:
        return DASH
    return f"{formats.date_format(obj.from_on, 'j M')} – {formats.date_format(obj.to_on, 'j M Y')}"


def _lines_url(obj: BankStatement, state: str) -> str:
    return f"{reverse('admin:billing_bankline_changelist')}?statement__id__exact={obj.pk}&state={state}"


def _page(obj: Any) -> dict[str, Any]:
    parts = [(state, getattr(obj, state.value)) for state in (*STATE_TONES,)]
    total = sum(count for _, count in parts)
    drawn = [Part(str(state.label), count, share(count, total), STATE_TONES[state]) for state, count in parts]
    bars = [
        Bar(
            label=str(state.label),
            value=figures(count),
            parts=[Part(str(state.label), count, share(count, total), STATE_TONES[state])],
            url=_lines_url(obj, state.value),
        )
        for state, count in parts
        if count
    ]
    running = obj.status in (StatementStatus.READING, StatementStatus.MATCHING)
    waiting = (
        BankLine.objects.filter(statement=obj, state__in=WAITING)
        .prefetch_related(_suggestions())
        .order_by("line_number")[:SHOWN_LINES]
    )
    return {
        "title": obj.name,
        "status": pill(obj.get_status_display(), STATUS_TONES[StatementStatus(obj.status)]),
        "facts": [
            ("Account", obj.account or DASH),
            ("Format", obj.get_file_format_display() or DASH),
            ("Days", _days(obj)),
            ("Opening balance", _balance(obj, obj.opening_balance)),
            ("Closing balance", _balance(obj, obj.closing_balance)),
            ("Lines known before", figures(obj.lines_known)),
            ("Uploaded", moment(obj.created_at)),
            ("By", str(obj.created_by or "an integration")),
        ],
        "job": state_of(obj.job) if obj.job and running else None,
        "whole": drawn if total else [],
        "lines": Chart("What became of its lines", bars, empty="It tells of no movement."),
        "is_done": obj.status == StatementStatus.DONE,
        "waiting": [_row(line) for line in waiting],
        "more_url": _lines_url(obj, "waiting") if obj.suggested + obj.unmatched > SHOWN_LINES else "",
    }


def _balance(obj: BankStatement, balance: Any) -> Any:
    return DASH if balance is None else money(balance, obj.currency)


def _suggestions() -> Prefetch:
    rows = BankSuggestion.objects.select_related("subscriber", "invoice").order_by("-is_certain", "pk")
    return Prefetch("suggestions", rows, to_attr="best_first")


def _row(line: Any) -> dict[str, Any]:
    best = line.best_first[0] if line.best_first else None
    return {
        "url": reverse("admin:billing_bankline_change", args=[line.pk]),
        "day": formats.date_format(line.booked_on, "j M Y"),
        "amount": money(line.amount, line.currency),
        "payer": line.payer_name or DASH,
        "text": line.text or DASH,
        "state": pill(line.get_state_display(), STATE_TONES[LineState(line.state)]),
        "best": f"{best.subscriber.full_name}: {best.reason}" if best else line.note or "Nobody was found.",
    }


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

    list_display = ("booked", "amount_shown", "payer", "text_shown", "state_shown", "who")
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
        return rows.prefetch_related(_suggestions())

    def has_settle_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether this person may say what becomes of a line; the pages themselves only show."""
        return request.user.has_perm("billing.change_bankline")

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        if line := kwargs.get("obj"):
            context |= {
                "title": f"{line.payer_name or 'A movement'}, {formats.date_format(line.booked_on, 'j M Y')}",
                "amount": money(line.amount, line.currency),
                "state": self.state_shown(line),
                "facts": self._facts(line),
                "suggestions": [_suggested(each) for each in line.best_first],
                "is_waiting": _is_waiting(line),
            }
        return super().render_change_form(request, context, *args, **kwargs)

    def _facts(self, line: BankLine) -> list[tuple[str, Any]]:
        return [
            ("Booked on", formats.date_format(line.booked_on, "j M Y")),
            ("Payer", line.payer_name or DASH),
            ("Payer's account", line.payer_account or DASH),
            ("Text", line.text or DASH),
            ("End-to-end id", line.end_to_end_id or DASH),
            ("The bank's reference", line.servicer_reference or DASH),
            ("Statement", links.link(links.url_of("statement", line.statement_id), str(line.statement))),
            ("Booked for", _customer(line.payment.subscriber) if line.payment else DASH),
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

    @admin.display(description="Day")
    def booked(self, obj: BankLine) -> str:
        return formats.date_format(obj.booked_on, "j M Y")

    @admin.display(description="Amount")
    def amount_shown(self, obj: BankLine) -> str:
        return money(obj.amount, obj.currency)

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
            return _customer(obj.payment.subscriber)
        if obj.best_first and _is_waiting(obj):
            return format_html("<span>{}?</span>", obj.best_first[0].subscriber.full_name)
        return DASH


def _customer(subscriber: Any) -> str:
    return links.link(
        links.url_of("subscriber", subscriber.pk), f"{subscriber.full_name} ({subscriber.number})"
    )


def _suggested(each: BankSuggestion) -> dict[str, Any]:
    return {
        "who": _customer(each.subscriber),
        "reason": each.reason,
        "rule": pill(each.get_rule_display(), "info"),
        "invoice": str(each.invoice) if each.invoice else DASH,
        "open": money(each.invoice.open_amount, each.invoice.currency) if each.invoice else DASH,
    }


def result(job: Job) -> str:
    """Write what a reconciliation came to, and lead to its statement."""
    found = job.result or {}
    return facts(
        [
            ("Statement", links.link(links.url_of("statement", found["statement_id"]), "Open")),
            *((str(state.label), found[state.value]) for state in STATE_TONES),
            ("Lines known before", found["known"]),
        ]
    )


results.add(bank.KIND, result)
links.add("statement", "admin:billing_bankstatement_change")
links.add("bank_statement", "admin:billing_bankstatement_change")
navigation.add(
    "Billing",
    45,
    "Bank statements",
    url_name="admin:billing_bankstatement_changelist",
    icon="account_balance",
    allowed="billing.view_bankstatement",
)
navigation.add(
    "Billing",
    46,
    "Bank lines",
    url_name="admin:billing_bankline_changelist",
    icon="rule",
    allowed="billing.view_bankline",
)
