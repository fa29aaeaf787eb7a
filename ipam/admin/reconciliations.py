"""The book against the network: runs, and the work list of where they disagree."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html

from ipam.admin.filters import VrfFilter, chosen_filter
from ipam.admin.words import DRIFT_TONES, figures, service_link
from ipam.models import Drift, DriftKind, Reconciliation, ReconciliationStatus, Repair, SeenIn
from ipam.services import reconciliation
from ispcore.admin import links, navigation
from ispcore.admin.actions import action, run_on_each
from ispcore.admin.base import BegunByForm, DrawnPage, ReadOnlyAdmin, ServiceForm, TenantModelAdmin
from ispcore.admin.dashboard import Bar, Chart, Part, share
from ispcore.admin.fields import Select
from ispcore.admin.formats import DASH, choice_column, moment, pill, time_column
from ispcore.admin.site import register
from ispcore.jobs.admin import state_of
from subscribers.admin.saving import saved

STATUS_TONES = {
    ReconciliationStatus.RUNNING: "info",
    ReconciliationStatus.DONE: "good",
    ReconciliationStatus.FAILED: "danger",
}
MEANING = {
    DriftKind.USED_BUT_FREE: "Somebody uses it, and the book says that nobody has it. Keep it back, or assign it "
    "to who was seen, before another line is given it.",
    DriftKind.USED_BY_OTHER: "Another than its holder uses it. Nothing is repaired from here: look at both lines "
    "first.",
    DriftKind.ASSIGNED_NOT_SEEN: "The book says that somebody has it, and it was not seen. The line may be off; "
    "nothing is taken from it.",
    DriftKind.UNKNOWN_ADDRESS: "It lies in no subnet of the VRF. Add the subnet, or find out who announces it.",
}
OPEN, SETTLED = "open", "settled"


class RunForm(ServiceForm):
    refused_fields: ClassVar = {"file": "upload"}

    upload = forms.FileField(
        required=False,
        label="List",
        help_text="A CSV or XLSX file with a column for the address and, where it is known, for the MAC address, the "
        "user name or the service. Not for live sessions.",
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,.tsv,.xlsx", "class": "isp-input"}),
        allow_empty_file=True,
    )
    seen_in = forms.ChoiceField(choices=SeenIn.choices, label="Compare with", widget=Select)

    class Meta:
        model = Reconciliation
        fields = ("vrf",)
        help_texts = {"vrf": "The address space that the list is of. Empty: the VRF default."}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "vrf" in self.fields:
            self.fields["vrf"].required = False


@register(Reconciliation)
class ReconciliationAdmin(BegunByForm, TenantModelAdmin):
    """Comparisons of the book with what was seen in use."""

    form = RunForm
    list_display = (
        time_column("started_at", "Started"),
        choice_column("seen_in", "Compared with", {}),
        "vrf_name",
        choice_column("status", "Status", STATUS_TONES),
        "seen",
        "found",
        "left",
    )
    list_filter = ("seen_in", "status", ("vrf", VrfFilter))
    list_select_related = ("vrf",)
    ordering = ("-started_at",)
    sortable_by = ("started_at_with_age",)
    object_actions = ("keep_all",)
    change_form_outer_before_template = "admin/ipam/reconciliation/page.html"
    title_of_new = "New reconciliation"
    add_fieldsets = ((None, {"fields": ("seen_in", "upload", "vrf")}),)
    empty_title = "The book was not compared with the network yet"
    empty_help = (
        "A reconciliation takes what is in use, from live sessions, from a router's ARP list or a DHCP server's "
        "leases, and says where the book disagrees: used but free, used by another, assigned and not seen. Nothing is "
        "changed by it."
    )
    docs_path = "/docs"

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        rows = super().get_queryset(request).select_related("vrf", "job", "created_by")
        open_ones = Drift.objects.filter(reconciliation=OuterRef("pk"), repaired_at=None).order_by()
        count = open_ones.values("reconciliation").annotate(n=Count("pk")).values("n")
        return rows.annotate(open_drifts=Coalesce(Subquery(count), 0))

    def has_repair_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("ipam.change_drift")

    def save_model(self, request: HttpRequest, obj: Reconciliation, form: Any, change: bool) -> None:
        given = form.cleaned_data
        file, vrf = given["upload"], given["vrf"]
        made = reconciliation.request_reconciliation(
            seen_in=given["seen_in"],
            at=timezone.now(),
            vrf_id=vrf.pk if vrf else None,
            name=file.name or "" if file else "",
            content=file.chunks() if file else None,
            user_id=request.user.pk,
        )
        saved(obj, made)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        if obj := kwargs.get("obj"):
            context |= _page(obj)
        return super().render_change_form(request, context, *args, **kwargs)

    @action(
        description="Keep back all that is used and free",
        permissions=["repair"],
        confirm="Every address that was seen in use and is free in the book is reserved, so that nobody else is given "
        "it. No address is taken from a line.",
        button="Keep them back",
        icon="lock",
        available=lambda obj: obj.status == ReconciliationStatus.DONE and bool(obj.open_drifts),
    )
    def keep_all(self, request: HttpRequest, queryset: QuerySet) -> None:
        done = reconciliation.repair_all(
            reconciliation_id=queryset.get().pk, at=timezone.now(), user_id=request.user.pk
        )
        left = f" {done.left} are left, because they rest or changed meanwhile." if done.left else ""
        messages.success(request, f"Kept back: {done.repaired}.{left}")

    @admin.display(description="VRF")
    def vrf_name(self, obj: Reconciliation) -> str:
        return obj.vrf.name

    @admin.display(description="Seen")
    def seen(self, obj: Reconciliation) -> str:
        return figures(obj.addresses_seen)

    @admin.display(description="Drifts")
    def found(self, obj: Reconciliation) -> str:
        return figures(obj.drifts_found)

    @admin.display(description="Open")
    def left(self, obj: Any) -> Any:
        if not obj.open_drifts:
            return 0
        return links.link(_drifts_url(obj, state=OPEN), figures(obj.open_drifts))


def _drifts_url(obj: Reconciliation, **more: str) -> str:
    query = "".join(f"&{name}={value}" for name, value in more.items())
    return f"{reverse('admin:ipam_drift_changelist')}?reconciliation__id__exact={obj.pk}{query}"


def _page(obj: Any) -> dict[str, Any]:
    counted = dict(
        Drift.objects.filter(reconciliation=obj).order_by().values_list("kind").annotate(n=Count("pk"))
    )
    total = sum(counted.values())
    running = obj.status == ReconciliationStatus.RUNNING
    bars = [
        Bar(
            label=str(kind.label),
            hint=MEANING[kind],
            value=figures(counted[kind]),
            parts=[Part(str(kind.label), counted[kind], share(counted[kind], total), DRIFT_TONES[kind])],
            url=_drifts_url(obj, kind__exact=kind.value),
        )
        for kind in DriftKind
        if kind in counted
    ]
    return {
        "title": str(obj),
        "status": pill(obj.get_status_display(), STATUS_TONES[ReconciliationStatus(obj.status)]),
        "facts": [
            ("Compared with", obj.get_seen_in_display()),
            ("VRF", links.link(links.url_of("vrf", obj.vrf_id), obj.vrf.name)),
            ("Addresses seen", figures(obj.addresses_seen)),
            ("Drifts found", figures(obj.drifts_found)),
            ("Still open", figures(obj.open_drifts)),
            ("Started", moment(obj.started_at)),
            ("Ended", moment(obj.finished_at, empty="not yet")),
            ("Asked by", str(obj.created_by or "the system")),
        ],
        "job": state_of(obj.job) if obj.job and running else None,
        "drifts": Chart("Where they disagree", bars, empty="Nowhere: the book says what the network does."),
        "is_done": obj.status == ReconciliationStatus.DONE,
    }


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(OPEN, "Open"), (SETTLED, "Settled")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() in (OPEN, SETTLED):
            return queryset.filter(repaired_at__isnull=self.value() == OPEN)
        return queryset


def _is_open(drift: Drift) -> bool:
    return drift.repaired_at is None


def _is_repairable(drift: Drift) -> bool:
    return _is_open(drift) and drift.kind == DriftKind.USED_BUT_FREE


@register(Drift)
class DriftAdmin(DrawnPage, ReadOnlyAdmin):
    """The work list: each address on which the book and the network disagree."""

    list_display = (
        "address",
        choice_column("kind", "What is wrong", DRIFT_TONES),
        "in_the_book",
        "seen_using",
        time_column("seen_at", "Seen"),
        "settled",
    )
    list_filter = (
        StateFilter,
        "kind",
        ("vrf", VrfFilter),
        chosen_filter(Reconciliation, "reconciliation", "reconciliation"),
    )
    list_select_related = (
        "record", "vrf", "holder__subscriber", "seen_subscription__subscriber", "reconciliation"
    )  # fmt: skip
    ordering = ("-pk",)
    sortable_by = ()
    actions = ("reserve_them", "assign_them", "dismiss_them")
    object_actions = ("reserve", "assign", "dismiss")
    change_form_outer_before_template = "admin/ipam/reconciliation/drift.html"
    empty_title = "No disagreement is known"
    empty_help = (
        "After a reconciliation each address on which the book and the network disagree stands here, to be kept back, "
        "assigned to who uses it, or dismissed. Start a reconciliation to fill the list."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).select_related(*self.list_select_related, "repaired_by")

    def has_repair_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether this person may settle drifts; the pages themselves only show."""
        return request.user.has_perm("ipam.change_drift")

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        if drift := kwargs.get("obj"):
            kind = DriftKind(drift.kind)
            context |= {
                "kind": pill(str(kind.label), DRIFT_TONES[kind]),
                "tone": DRIFT_TONES[kind],
                "meaning": MEANING[kind],
                "settled": self.settled(drift),
                "facts": self._facts(drift),
            }
        return super().render_change_form(request, context, *args, **kwargs)

    def _facts(self, drift: Drift) -> list[tuple[str, Any]]:
        run = drift.reconciliation
        return [
            ("In the book", self.in_the_book(drift)),
            ("Seen using it", self.seen_using(drift)),
            ("Seen", moment(drift.seen_at)),
            ("VRF", links.link(links.url_of("vrf", drift.vrf_id), drift.vrf.name)),
            ("Found by", links.link(links.url_of("reconciliation", run.pk), str(run))),
            ("Settled by", str(drift.repaired_by or DASH)),
        ]

    @action(
        description="Keep it back",
        permissions=["repair"],
        confirm="It is reserved: nobody else is given it while somebody uses it.",
        icon="lock",
        available=_is_repairable,
    )
    def reserve(self, request: HttpRequest, queryset: QuerySet) -> None:
        self._settle(request, queryset, reconciliation.How.RESERVE)

    @action(
        description="Assign it to who uses it",
        permissions=["repair"],
        confirm="The line that was seen using it gets it in the book as well.",
        button="Assign it",
        icon="add_link",
        available=lambda drift: _is_repairable(drift) and drift.seen_subscription_id is not None,
    )
    def assign(self, request: HttpRequest, queryset: QuerySet) -> None:
        self._settle(request, queryset, reconciliation.How.ASSIGN)

    @action(
        description="Dismiss",
        permissions=["repair"],
        confirm="It is taken off the work list; nothing is changed in the book.",
        icon="done",
        available=_is_open,
    )
    def dismiss(self, request: HttpRequest, queryset: QuerySet) -> None:
        self._settle(request, queryset, reconciliation.How.DISMISS)

    @action(
        description="Keep back…",
        permissions=["repair"],
        confirm="They are reserved: nobody else is given one while somebody uses it.",
        button="Keep them back",
    )
    def reserve_them(self, request: HttpRequest, queryset: QuerySet) -> None:
        self._settle(request, queryset, reconciliation.How.RESERVE)

    @action(
        description="Assign to who uses them…",
        permissions=["repair"],
        confirm="The lines that were seen using them get them in the book as well.",
        button="Assign them",
    )
    def assign_them(self, request: HttpRequest, queryset: QuerySet) -> None:
        self._settle(request, queryset, reconciliation.How.ASSIGN)

    @action(
        description="Dismiss…",
        permissions=["repair"],
        confirm="They are taken off the work list; nothing is changed in the book.",
        button="Dismiss them",
    )
    def dismiss_them(self, request: HttpRequest, queryset: QuerySet) -> None:
        self._settle(request, queryset, reconciliation.How.DISMISS)

    def _settle(self, request: HttpRequest, queryset: QuerySet, how: str) -> None:
        at = timezone.now()
        run_on_each(
            self,
            request,
            queryset.order_by("pk"),
            lambda drift: reconciliation.repair_drift(
                drift_id=drift.pk, how=how, at=at, user_id=request.user.pk
            ),
            done="Settled: {count}.",
        )

    @admin.display(description="In the book")
    def in_the_book(self, obj: Drift) -> Any:
        if obj.holder:
            return service_link(obj.holder)
        if obj.record is None:
            return DASH
        words = obj.record.assigned_to or obj.record.get_state_display()
        return links.link(links.url_of("address", obj.record_id), words)

    @admin.display(description="Seen using it")
    def seen_using(self, obj: Drift) -> Any:
        if obj.seen_subscription is None:
            return obj.seen_as or DASH
        line = service_link(obj.seen_subscription)
        return format_html("<span>{} ({})</span>", line, obj.seen_as) if obj.seen_as else line

    @admin.display(description="Settled")
    def settled(self, obj: Drift) -> str:
        return pill(Repair(obj.repair).label, "good") if obj.repair else pill("Open", "warning")


links.add("reconciliation", "admin:ipam_reconciliation_change")
links.add("drift", "admin:ipam_drift_change")
navigation.add_list("Addresses", 80, "Reconciliations", Reconciliation, icon="compare_arrows")
navigation.add_list("Addresses", 90, "Drift", Drift, icon="rule")
