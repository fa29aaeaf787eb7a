from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from ipam.admin import pool_page
from ipam.admin.fields import AddressesField, LinesField, only_vrf
from ipam.admin.filters import LevelFilter, VrfFilter
from ipam.admin.handing import AssignForm, ReserveForm, assign_and_say, reserve_and_say
from ipam.admin.words import LEVEL_TONES, level_pill, used_bar, what_of
from ipam.models import Pool, PoolKind, UsageLevel
from ipam.services import pools, usage
from ispcore.admin import links, navigation
from ispcore.admin.actions import action, run_on_each
from ispcore.admin.base import ServiceForm, TenantModelAdmin
from ispcore.admin.fields import NumberInput
from ispcore.admin.formats import choice_column, pill
from ispcore.admin.site import register
from subscribers.admin.saving import answers, saved

LINES = ("ranges", "exclusions")


class PoolForm(ServiceForm):
    refused_fields: ClassVar = {"ranges_given": "ranges"}

    prefix_length = forms.IntegerField(
        required=False,
        min_value=8,
        max_value=127,
        widget=NumberInput,
        label="Prefix length",
        help_text="Of each delegated prefix, such as 56. Empty where single addresses are handed out.",
    )
    dns_servers = AddressesField(
        required=False,
        label="DNS servers",
        help_text="At most four, with commas between. Empty: those of the subnet.",
    )
    ranges = LinesField(
        required=False,
        label="Ranges",
        help_text="One a line: 203.0.113.10 - 203.0.113.99, or a network such as 203.0.113.128/25. Each lies in a "
        "subnet of the VRF. A network address, a broadcast address and a gateway within are left out by themselves.",
    )
    exclusions = LinesField(
        required=False,
        words="reason",
        label="Never hand out",
        help_text="Parts of the ranges that are kept back for good, one a line; the reason stands behind #: "
        "203.0.113.10 - 203.0.113.19 # servers",
    )

    class Meta:
        model = Pool
        fields: tuple[str, ...] = ()
        help_texts = {
            "vrf": "The address space it hands out of. It cannot change later.",
            "name": "Plans name it: a line of such a plan gets its address here when it becomes active.",
            "kind": "Single addresses, or prefixes for the customers' own networks (IPv6 prefix delegation).",
            "hold_seconds": "A released address rests so long before another gets it: 86400 is a day, 0 not at all.",
            "warn_percent": "From this share on the pool counts as nearly full, and the dashboard says so.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            if name in LINES:
                field.widget.attrs["rows"] = 4
        if not self.instance._state.adding:
            self.initial["ranges"] = "\n".join(
                f"{each.first} - {each.last}" for each in self.instance.ranges.all()
            )
            self.initial["exclusions"] = "\n".join(_excluded(each) for each in self.instance.exclusions.all())
            if self.instance.kind == PoolKind.ADDRESS:
                self.initial["prefix_length"] = None

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        warn, critical = given.get("warn_percent"), given.get("critical_percent")
        if warn and critical and warn > critical:
            self.add_error("critical_percent", "This comes before the warning.")
        return given


def _excluded(each: Any) -> str:
    span = each.first if each.first == each.last else f"{each.first} - {each.last}"
    return f"{span} # {each.reason}" if each.reason else span


@register(Pool)
class PoolAdmin(TenantModelAdmin):
    """What addresses and prefixes are handed out of."""

    form = PoolForm
    list_display = (
        "name",
        "hands_out",
        choice_column("purpose", "Purpose", {}),
        "vrf_name",
        "used",
        "next_free",
        "level",
    )
    list_filter = (LevelFilter, "purpose", "family", ("vrf", VrfFilter), "is_active")
    list_select_related = ("vrf",)
    search_fields = ("name",)
    search_help_text = "Part of the name"
    ordering = ("name",)
    sortable_by = ("name",)
    actions = ("activate", "deactivate")
    object_actions = ("allocate", "reserve", "activate", "deactivate")
    change_form_outer_before_template = "admin/ipam/pool/page.html"
    fieldsets = (
        (None, {"fields": ("vrf", "name", "purpose", "is_active")}),
        ("What it hands out", {"fields": ("kind", "family", "prefix_length", *LINES)}),
        ("How", {"fields": ("hold_seconds", "warn_percent", "critical_percent", "dns_servers", "notes")}),
    )
    empty_title = "No pool yet"
    empty_help = (
        "A pool hands out addresses by itself: give it a range of a subnet, and each line of a plan that names the "
        "pool gets the next free one when it becomes active. Two callers never get the same. Make a subnet first."
    )
    docs_path = "/docs"

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).select_related("vrf").prefetch_related("usage")

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Count and look ahead for the rows of the page, in a few statements."""
        shown = super().get_changelist_instance(request)
        pks = [row.pk for row in shown.result_list]
        counts, free = usage.counts_of_pools(pks), pools.next_free(shown.result_list)
        for row in shown.result_list:
            row.counts, row.free_next = counts[row.pk], free.get(row.pk)
        return shown

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Leave the lines out where they cannot be edited: the page lists them above."""
        if obj is None or self.has_change_permission(request, obj):
            return self.fieldsets
        return [
            (title, {"fields": tuple(name for name in options["fields"] if name not in LINES)})
            for title, options in self.fieldsets
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("vrf",) if obj else ()

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return only_vrf() | super().get_changeform_initial_data(request)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        if pool := kwargs.get("obj"):
            context |= pool_page.context(pool)
        return super().render_change_form(request, context, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Pool, form: Any, change: bool) -> None:
        fields = answers(form, changed=change, without=LINES)
        given = {
            argument: form.cleaned_data[name]
            for name, argument in (("ranges", "ranges_given"), ("exclusions", "exclusions"))
            if not change or name in form.changed_data
        }
        if change:
            saved(obj, pools.change_pool(pool_id=obj.pk, **given, **fields))
        else:
            saved(obj, pools.create_pool(**given, **fields))

    def delete_model(self, request: HttpRequest, obj: Pool) -> None:
        pools.remove_pool(pool_id=obj.pk)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Say what goes with a pool; who held its addresses stays known."""
        counts = {
            "pools": len(objs),
            "ranges": sum(pool.ranges.count() for pool in objs),
            "exclusions": sum(pool.exclusions.count() for pool in objs),
        }
        return [str(pool) for pool in objs], counts, set(), []

    @action(
        description="Allocate an address",
        permissions=["change"],
        confirm="The next free one, or the one you name, is given to a line or to a device that has none.",
        button="Allocate",
        icon="add_link",
        form=AssignForm,
        available=lambda pool: pool.is_active,
    )
    def allocate(self, request: HttpRequest, queryset: QuerySet, data: dict[str, Any]) -> HttpResponse | None:
        return assign_and_say(request, data, pool_id=queryset.get().pk)

    @action(
        description="Reserve",
        permissions=["change"],
        confirm="These are kept back: nobody gets one of them unless it is asked for by name.",
        icon="lock",
        form=ReserveForm,
    )
    def reserve(self, request: HttpRequest, queryset: QuerySet, data: dict[str, Any]) -> None:
        reserve_and_say(request, data, pool_id=queryset.get().pk)

    @action(
        description="Switch on",
        permissions=["change"],
        confirm="The pool hands out addresses again.",
        icon="play_circle",
        available=lambda pool: not pool.is_active,
    )
    def activate(self, request: HttpRequest, queryset: QuerySet) -> None:
        self._switch(request, queryset, is_active=True)

    @action(
        description="Switch off",
        permissions=["change"],
        confirm="It hands out nothing until it is switched on again. What is assigned stays assigned.",
        icon="pause_circle",
        danger=True,
        available=lambda pool: pool.is_active,
    )
    def deactivate(self, request: HttpRequest, queryset: QuerySet) -> None:
        self._switch(request, queryset, is_active=False)

    def _switch(self, request: HttpRequest, queryset: QuerySet, *, is_active: bool) -> None:
        run_on_each(
            self,
            request,
            queryset.order_by("pk"),
            lambda pool: pools.change_pool(pool_id=pool.pk, is_active=is_active),
            done="Switched on." if is_active else "Switched off.",
        )

    @admin.display(description="Hands out")
    def hands_out(self, obj: Pool) -> str:
        return what_of(obj)

    @admin.display(description="VRF")
    def vrf_name(self, obj: Pool) -> str:
        return obj.vrf.name

    @admin.display(description="Used")
    def used(self, obj: Any) -> str:
        tone = LEVEL_TONES[usage.level_of(obj.counts, obj)]
        return used_bar(obj.counts.total - obj.counts.free, obj.counts.total, tone=tone)

    @admin.display(description="Next free")
    def next_free(self, obj: Any) -> str:
        return obj.free_next or "nothing left"

    @admin.display(description="Level")
    def level(self, obj: Any) -> str:
        if not obj.is_active:
            return pill("Switched off")
        if not obj.counts.total:
            return pill("No range", "info")
        told = [row.level for row in obj.usage.all()]
        return level_pill(usage.level_of(obj.counts, obj, before=told[0] if told else UsageLevel.OK))


links.add("pool", "admin:ipam_pool_change")
navigation.add_list("Addresses", 30, "Pools", Pool, icon="water_drop")
