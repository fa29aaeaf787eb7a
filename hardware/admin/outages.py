from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Case, QuerySet, Value, When
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from hardware.admin.filters import OltFilter
from hardware.admin.signals import CAUSE_WORDS, OUTAGE_TONES, STATUS_TONES, outage_pill, status_words
from hardware.models import OPEN_OUTAGE, OnuStatus, Outage, OutageCause, OutageOnu, OutageStatus
from hardware.services import outages
from ispcore.admin import links, navigation
from ispcore.admin.actions import ActionForm, action, run_on_each
from ispcore.admin.base import DrawnPage, ReadOnlyAdmin
from ispcore.admin.fields import TextArea
from ispcore.admin.formats import choice_column, duration, moment, pill, time_column
from ispcore.admin.site import register

MEMBERS_SHOWN = 200
OPEN_FIRST = Case(When(status__in=OPEN_OUTAGE, then=Value(0)), default=Value(1)).asc()


class NoteForm(ActionForm):
    note = forms.CharField(
        required=False,
        max_length=500,
        widget=TextArea(attrs={"rows": 4}),
        help_text="What was found out and what is being done; replaces the note that stands there.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if (only := self.rows.first()) is not None:
            self.fields["note"].initial = only.note


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        states = [(str(each.value), str(each.label)) for each in OutageStatus]
        return [("open", "Open: suspected or confirmed"), *states]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() == "open":
            return queryset.filter(status__in=OPEN_OUTAGE)
        return queryset.filter(status=self.value()) if self.value() in OutageStatus.values else queryset


@register(Outage)
class OutageAdmin(DrawnPage, ReadOnlyAdmin):
    """Found by the polls; staff confirm, write down what they learn, and close."""

    list_display = (
        "cause_word",
        choice_column("status", "State", OUTAGE_TONES),
        "where",
        "onus",
        "customers",
        time_column("started_at", "Since"),
        "lasted",
    )
    list_filter = (StateFilter, "cause", ("olt", OltFilter), "started_at")
    list_select_related = ("olt", "pon_port")
    search_fields = ("note", "olt__name")
    search_help_text = "The OLT's name, or words of the note"
    sortable_by = ("onus", "customers", "started_at_with_age")
    object_actions = ("confirm", "write_note", "close")
    change_form_outer_before_template = "admin/hardware/outage/page.html"
    empty_title = "No outage was found"
    empty_help = (
        "When several ONUs of one PON port go down together, or a whole OLT falls silent, an outage opens here by "
        "itself, with its probable cause and everybody it affects. It resolves when enough are back."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Outage]:
        return super().get_queryset(request).select_related("olt", "pon_port", "closed_by")

    def get_ordering(self, request: HttpRequest) -> tuple[Any, ...]:
        return (OPEN_FIRST, "-started_at", "-pk")

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        if outage := kwargs.get("obj"):
            members = OutageOnu.objects.filter(outage=outage)
            shown = members.select_related("onu__subscription__subscriber").order_by(
                Case(When(up_at=None, then=Value(0)), default=Value(1)), "down_at", "pk"
            )[:MEMBERS_SHOWN]
            total = members.count()
            context |= {
                "status": outage_pill(outage),
                "cause": outage.get_cause_display(),
                "facts": self._facts(outage, total, members.filter(up_at=None).count()),
                "members": [_member(member) for member in shown],
                "more": max(0, total - MEMBERS_SHOWN),
            }
        return super().render_change_form(request, context, *args, **kwargs)

    def has_steer_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether this person may say what an outage is; the pages themselves only show."""
        return request.user.has_perm("hardware.change_outage")

    @action(
        description="Confirm",
        permissions=["steer"],
        confirm="The outage is held for real from now on, without waiting for the next reading.",
        icon="check_circle",
        available=lambda outage: outage.status == OutageStatus.SUSPECTED,
    )
    def confirm(self, request: HttpRequest, queryset: QuerySet[Outage]) -> None:
        at = timezone.now()
        run_on_each(
            self,
            request,
            queryset,
            lambda outage: outages.confirm_outage(outage_id=outage.pk, at=at),
            done="Confirmed.",
        )

    @action(
        description="Write a note",
        permissions=["steer"],
        confirm="The note stands on the outage's page for colleagues; customers do not see it.",
        button="Keep the note",
        icon="edit_note",
        form=NoteForm,
    )
    def write_note(self, request: HttpRequest, queryset: QuerySet[Outage], data: dict[str, Any]) -> None:
        run_on_each(
            self,
            request,
            queryset,
            lambda outage: outages.note_outage(outage_id=outage.pk, note=data["note"]),
            done="The note is kept.",
        )

    @action(
        description="Close",
        permissions=["steer"],
        confirm="The outage is filed away, also if ONUs are still down, and is not opened again. The same ONUs going "
        "down once more make a new one.",
        icon="task_alt",
        danger=True,
        available=lambda outage: outage.status != OutageStatus.CLOSED,
    )
    def close(self, request: HttpRequest, queryset: QuerySet[Outage]) -> None:
        at = timezone.now()
        run_on_each(
            self,
            request,
            queryset,
            lambda outage: outages.close_outage(outage_id=outage.pk, at=at, user_id=request.user.pk),
            done="Closed.",
        )

    @admin.display(description="Cause", ordering="cause")
    def cause_word(self, obj: Outage) -> str:
        return CAUSE_WORDS[OutageCause(obj.cause)]

    @admin.display(description="Where")
    def where(self, obj: Outage) -> str:
        return place_of(obj)

    @admin.display(description="ONUs", ordering="onus_affected")
    def onus(self, obj: Outage) -> int:
        return obj.onus_affected

    @admin.display(description="Customers", ordering="customers_affected")
    def customers(self, obj: Outage) -> int:
        return obj.customers_affected

    @admin.display(description="Lasted")
    def lasted(self, obj: Outage) -> str:
        return _lasted(obj)

    def _facts(self, outage: Outage, total: int, down: int) -> list[tuple[str, Any]]:
        olt = links.link(reverse("admin:hardware_olt_change", args=[outage.olt_id]), outage.olt.name)
        port: Any = "the whole OLT"
        if outage.pon_port:
            url = f"{reverse('admin:hardware_onu_changelist')}?pon_port__id__exact={outage.pon_port_id}"
            port = links.link(url, outage.pon_port.index)
        is_open = outage.status in OPEN_OUTAGE
        return [
            ("OLT", olt),
            ("PON port", port),
            ("ONUs down now" if is_open else "ONUs never seen back", f"{down} of {total}"),
            ("ONUs, at its worst", outage.onus_affected),
            ("Customers, at its worst", outage.customers_affected),
            ("Began", moment(outage.started_at)),
            ("Lasts" if is_open else "Lasted", _lasted(outage)),
            ("Confirmed", moment(outage.confirmed_at, empty="not yet" if is_open else "never")),
            *([("Resolved", moment(outage.resolved_at))] if outage.resolved_at else []),
            *([("Closed", moment(outage.closed_at))] if outage.closed_at else []),
            *([("Closed by", outage.closed_by)] if outage.closed_by else []),
        ]


def place_of(outage: Outage) -> str:
    return f"{outage.olt.name} · {outage.pon_port.index if outage.pon_port else 'the whole OLT'}"


def _lasted(outage: Outage) -> str:
    until = outage.resolved_at or timezone.now()
    return duration(max(0.0, (until - outage.started_at).total_seconds()))


def _member(member: OutageOnu) -> dict[str, Any]:
    onu = member.onu
    line = onu.subscription
    return {
        "url": reverse("admin:hardware_onu_change", args=[onu.pk]),
        "serial": onu.serial,
        "index": onu.index,
        "state": pill("Back", "good")
        if member.up_at
        else pill(status_words(onu), STATUS_TONES[OnuStatus(onu.status)]),
        "down": moment(member.down_at),
        "up": moment(member.up_at, empty="not yet"),
        "customer": f"#{line.number} {line.subscriber.full_name}" if line else "",
        "customer_url": links.url_of("service", line.pk) if line else "",
    }


links.add("outage", "admin:hardware_outage_change")
navigation.add_list("Network", 40, "Outages", Outage, icon="warning")
