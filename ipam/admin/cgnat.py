from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms import DateTimeField
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from ipam.admin import look_up
from ipam.admin.fields import AddressField, only_vrf
from ipam.admin.filters import VrfFilter
from ipam.admin.words import figures
from ipam.models import CgnatRule, Pool, Purpose
from ipam.services import cgnat, ranges
from ispcore.admin import links, navigation
from ispcore.admin.actions import ActionForm, action
from ispcore.admin.base import ServiceForm, TenantModelAdmin
from ispcore.admin.fields import MomentInput
from ispcore.admin.formats import DASH, moment, pill, time_column
from ispcore.admin.site import register
from subscribers.admin.saving import answers, saved

EXAMPLES = 3
INSIDE_HELP = "For example 100.64.0.0; RFC 6598 keeps 100.64.0.0/10 for this."
MOMENT_HELP = "In the provider's time zone."


class RuleForm(ServiceForm):
    inside_first = AddressField(label="Inside, first", help_text=INSIDE_HELP)
    inside_last = AddressField(label="Inside, last", help_text="For example 100.64.15.255.")
    public_first = AddressField(label="Public, first", help_text="For example 203.0.113.128.")
    public_last = AddressField(
        label="Public, last", help_text="With 2016 ports a line, 32 lines share one public address."
    )
    valid_from = DateTimeField(
        label="Valid from",
        widget=MomentInput,
        help_text=f"{MOMENT_HELP} When the router was told. A rule is never edited later: it is ended and followed.",
    )
    valid_until = DateTimeField(
        required=False, label="Valid until", widget=MomentInput, help_text="Empty: until somebody ends it."
    )

    class Meta:
        model = CgnatRule
        fields: tuple[str, ...] = ()
        labels = {"first_port": "First port", "ports_per_line": "Ports a line"}
        help_texts = {
            "name": "For example 'Homes of Northport'.",
            "pool": "The pool of CGNAT addresses it is for, if one.",
            "first_port": "1024 leaves out the ports of well-known services.",
            "ports_per_line": "As the router gives them: it must compute the same.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "pool" in self.fields:
            self.fields["pool"].queryset = Pool.objects.filter(purpose=Purpose.CGNAT).order_by("name")  # type: ignore[attr-defined]


class EndForm(ActionForm):
    until = DateTimeField(
        required=False, widget=MomentInput, label="At", help_text=f"{MOMENT_HELP} Empty: now."
    )


def is_over(rule: CgnatRule) -> bool:
    return rule.valid_until is not None and rule.valid_until <= timezone.now()


def has_begun(rule: CgnatRule) -> bool:
    return rule.valid_from <= timezone.now()


@register(CgnatRule)
class CgnatRuleAdmin(TenantModelAdmin):
    """Which line has which ports of which public address."""

    form = RuleForm
    list_display = (
        "name",
        "inside",
        "public",
        "ports",
        "vrf_name",
        time_column("valid_from", "Valid from"),
        "state",
    )
    list_filter = (("vrf", VrfFilter),)
    list_select_related = ("vrf",)
    search_fields = ("name",)
    search_help_text = "Part of the name"
    ordering = ("-valid_from",)
    sortable_by = ("name", "valid_from_with_age")
    object_actions = ("end", "take_back")
    change_form_outer_before_template = "admin/ipam/cgnatrule/page.html"
    add_fieldsets = (
        (None, {"fields": ("name", "vrf", "pool")}),
        (
            "Whose addresses, and which public ones",
            {"fields": ("inside_first", "inside_last", "public_first", "public_last")},
        ),
        ("Ports", {"fields": ("first_port", "ports_per_line")}),
        ("When", {"fields": ("valid_from", "valid_until", "note")}),
    )
    empty_title = "No CGNAT rule yet"
    empty_help = (
        "Behind CGNAT (carrier-grade NAT) several lines share one public address, each with ports of its own. A rule "
        "says how the router computes them (RFC 7422), so that it can be told later who used an address and port, "
        "without a log of every connection."
    )
    docs_path = "/docs"

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).select_related("vrf", "pool", "created_by")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(lambda request: look_up.look_up_view(self, request))
        return [path("look-up/", view, name="ipam_cgnatrule_look_up"), *super().get_urls()]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return () if obj else self.add_fieldsets

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {
            "valid_from": timezone.localtime().strftime("%Y-%m-%dT%H:%M"),
            **only_vrf(),
            **super().get_changeform_initial_data(request),
        }

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # What a rule said of the past stays: it is ended and followed by another.

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_steer_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("ipam.change_cgnatrule")

    def save_model(self, request: HttpRequest, obj: CgnatRule, form: Any, change: bool) -> None:
        saved(obj, cgnat.create_rule(**answers(form), user_id=request.user.pk))

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        if rule := kwargs.get("obj"):
            may_reveal = look_up.may_look_up(request)
            context |= {
                "state": self.state(rule),
                "facts": _facts(rule),
                "examples": _examples(rule),
                "look_up_url": reverse("admin:ipam_cgnatrule_look_up") if may_reveal else "",
            }
        return super().render_change_form(request, context, *args, **kwargs)

    @action(
        description="End",
        permissions=["steer"],
        confirm="From then on the rule maps nobody any more; what it says of the time before stays. The router has to "
        "be told as well.",
        icon="event_busy",
        danger=True,
        available=lambda rule: has_begun(rule) and not is_over(rule),
        form=EndForm,
    )
    def end(self, request: HttpRequest, queryset: QuerySet, data: dict[str, Any]) -> None:
        rule = cgnat.end_rule(rule_id=queryset.get().pk, at=timezone.now(), until=data["until"])
        messages.success(request, f"{rule.name} ends.")

    @action(
        description="Take back",
        permissions=["steer"],
        confirm="The rule was never valid, and is removed.",
        icon="undo",
        danger=True,
        available=lambda rule: not has_begun(rule),
    )
    def take_back(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse:
        cgnat.remove_rule(rule_id=queryset.get().pk, at=timezone.now())
        messages.success(request, "The rule is removed.")
        return redirect("admin:ipam_cgnatrule_changelist")

    @admin.display(description="Inside")
    def inside(self, obj: CgnatRule) -> str:
        return f"{obj.inside_first} – {obj.inside_last}"

    @admin.display(description="Public")
    def public(self, obj: CgnatRule) -> str:
        return f"{obj.public_first} – {obj.public_last}"

    @admin.display(description="Ports a line")
    def ports(self, obj: CgnatRule) -> int:
        return obj.ports_per_line

    @admin.display(description="VRF")
    def vrf_name(self, obj: CgnatRule) -> str:
        return obj.vrf.name

    @admin.display(description="State")
    def state(self, obj: CgnatRule) -> str:
        if not has_begun(obj):
            return pill("Not begun", "info")
        return pill("Ended") if is_over(obj) else pill("Valid", "good")


def _facts(rule: CgnatRule) -> list[tuple[str, Any]]:
    inside = ranges.number_of(rule.inside_last) - ranges.number_of(rule.inside_first) + 1
    public = ranges.number_of(rule.public_last) - ranges.number_of(rule.public_first) + 1
    shared = (cgnat.PORTS - rule.first_port) // rule.ports_per_line
    return [
        ("Inside", f"{rule.inside_first} – {rule.inside_last} ({figures(inside)} addresses)"),
        ("Public", f"{rule.public_first} – {rule.public_last} ({figures(public)} addresses)"),
        ("Inside VRF", links.link(links.url_of("vrf", rule.vrf_id), rule.vrf.name)),
        ("Pool", links.link(links.url_of("pool", rule.pool_id), rule.pool.name) if rule.pool else DASH),
        ("Ports a line", f"{figures(rule.ports_per_line)}, from port {rule.first_port} on"),
        ("Lines that share a public address", figures(shared)),
        ("Valid from", moment(rule.valid_from)),
        ("Valid until", moment(rule.valid_until, empty="somebody ends it")),
        ("Made by", str(rule.created_by or "the system")),
        ("Note", rule.note or DASH),
    ]


def _examples(rule: CgnatRule) -> list[tuple[str, str, str]]:
    """Map the first and the last inside addresses, to compare with what the router does."""
    first, last = ranges.number_of(rule.inside_first), ranges.number_of(rule.inside_last)
    numbers = sorted({*range(first, min(first + EXAMPLES, last + 1)), last})
    found = []
    for number in numbers:
        inside = ranges.text_of(number, 4)
        if block := cgnat.block_of(rule, inside):
            found.append((inside, block.public_address, f"{block.first_port} – {block.last_port}"))
    return found


links.add("cgnat_rule", "admin:ipam_cgnatrule_change")
navigation.add_list("Addresses", 50, "CGNAT", CgnatRule, icon="call_split")
