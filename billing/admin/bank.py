"""Bank statements and their lines: what is booked, what is to be confirmed, whom nobody knows."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import formats

from billing.admin import reports
from billing.admin.bank_lines import STATE_TONES, WAITING, best_first
from billing.models import (
    BankLine,
    BankStatement,
    LineState,
    StatementStatus,
)
from billing.selectors import with_line_counts
from billing.services import bank
from ispcore.admin import links, navigation, results
from ispcore.admin.base import BegunByForm, ServiceForm, TenantModelAdmin
from ispcore.admin.dashboard import Bar, Chart, Part, share
from ispcore.admin.formats import DASH, choice_column, day, facts, figures, moment, money, pill, time_column
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


class UploadForm(ServiceForm):
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


@register(BankStatement)
class BankStatementAdmin(BegunByForm, TenantModelAdmin):
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
    title_of_new = "Upload a bank statement"
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

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        if obj := kwargs.get("obj"):
            context |= _page(obj)
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
    last = day(obj.to_on)
    return last if obj.from_on == obj.to_on else f"{formats.date_format(obj.from_on, 'j M')} – {last}"


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
        .prefetch_related(best_first())
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


def _row(line: Any) -> dict[str, Any]:
    best = line.best_first[0] if line.best_first else None
    return {
        "url": reverse("admin:billing_bankline_change", args=[line.pk]),
        "day": day(line.booked_on),
        "amount": money(line.amount, line.currency),
        "payer": line.payer_name or DASH,
        "text": line.text or DASH,
        "state": pill(line.get_state_display(), STATE_TONES[LineState(line.state)]),
        "best": f"{best.subscriber.full_name}: {best.reason}" if best else line.note or "Nobody was found.",
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
navigation.add_list("Billing", 50, "Bank statements", BankStatement, icon="account_balance")
