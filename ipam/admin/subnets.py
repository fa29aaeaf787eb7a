from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.html import format_html

from ipam.admin import subnet_page
from ipam.admin.fields import AddressesField, AddressField, AddressOrPrefixField, only_vrf
from ipam.admin.filters import VrfFilter
from ipam.admin.handing import AssignForm, ReserveForm, assign_and_say, reserve_and_say
from ipam.admin.words import figures, percent_of, tone_of, used_bar
from ipam.models import Subnet
from ipam.models.fields import canonical
from ipam.services import ranges, space, usage
from ispcore.admin import links, navigation
from ispcore.admin.actions import ActionForm, action
from ispcore.admin.base import ServiceForm, TenantModelAdmin
from ispcore.admin.fields import NumberInput, Select, TextInput
from ispcore.admin.formats import DASH
from ispcore.admin.site import register
from subscribers.admin.saving import answers, saved
from subscribers.models import Zone

MOST_VLAN_DIGITS = 4
DNS_HELP = "Told to those who get an address here. At most four, with commas between."


class SubnetForm(ServiceForm):
    network = AddressOrPrefixField(
        label="Network",
        help_text="With its mask, for example 203.0.113.0/24 or 2001:db8::/40. Its place in the tree is found by "
        "itself; subnets that lie in it move under it.",
    )
    gateway = AddressField(
        required=False,
        label="Gateway",
        help_text="The router's address in it, if it has one; never handed out.",
    )
    dns_servers = AddressesField(required=False, label="DNS servers", help_text=DNS_HELP)

    class Meta:
        model = Subnet
        fields: tuple[str, ...] = ()
        help_texts = {
            "vrf": "The address space it belongs to. It cannot change later.",
            "name": "What it is for, such as 'Static addresses' or 'OLT management'.",
            "zone": "The part of the area it serves, if one.",
        }


class WithinForm(ActionForm):
    network = AddressOrPrefixField(label="Network")
    name = forms.CharField(required=False, max_length=80, widget=TextInput)
    vlan_id = forms.IntegerField(
        required=False, label="VLAN", min_value=1, max_value=4094, widget=NumberInput,
        help_text="IEEE 802.1Q, 1 to 4094; may be empty.",
    )  # fmt: skip
    zone = forms.ModelChoiceField(
        Zone.objects.order_by("name"), required=False, widget=Select, empty_label="None"
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if (subnet := self.rows.first()) is not None:
            left = subnet_page.unused_networks(subnet)
            self.fields["network"].help_text = (
                f"No subnet lies yet in {', '.join(left)}." if left else f"A part of {subnet.network}."
            )

    def clean_network(self) -> str:
        network: str = self.cleaned_data["network"]
        around = self.rows.get().network
        if ranges.family_of(network) != ranges.family_of(around):
            raise forms.ValidationError(f"A network within {around}.")
        outer, inner = ranges.span_of(around), ranges.span_of(network)
        if not (outer.first <= inner.first and inner.last <= outer.last) or network == around:
            raise forms.ValidationError(f"A network within {around}: {network} does not lie in it.")
        return network


@register(Subnet)
class SubnetAdmin(TenantModelAdmin):
    """The tree of networks, in the order of their addresses."""

    form = SubnetForm
    list_display = ("network_in_tree", "name_shown", "vrf_name", "zone_name", "vlan", "used")
    list_filter = (("vrf", VrfFilter), "zone")
    list_select_related = ("vrf", "zone")
    list_per_page = 50
    # What is searched are networks around and within what was typed, and names: see get_search_results.
    search_fields = ("name",)
    search_help_text = "An address, a network, a VLAN, or part of a name or site"
    sortable_by = ()
    actions = ()
    object_actions = ("add_within", "assign", "reserve_range")
    change_form_outer_before_template = "admin/ipam/subnet/page.html"
    fieldsets = (
        (None, {"fields": ("vrf", "network", "name")}),
        ("Where it is", {"fields": ("zone", "site", "vlan_id")}),
        ("What its hosts are told", {"fields": ("gateway", "dns_servers")}),
        ("Notes", {"fields": ("notes",)}),
    )
    empty_title = "No subnet yet"
    empty_help = (
        "A subnet is a network of yours, such as 203.0.113.0/24. Begin with the large ones you were given; smaller "
        "ones within find their place by themselves. Pools then hand out parts of them, and each subnet has a map of "
        "what is used, reserved and free."
    )
    docs_path = "/docs"

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        rows = super().get_queryset(request).select_related("vrf", "zone", "parent")
        around = Subnet.objects.filter(
            vrf=OuterRef("vrf"),
            first_address__lte=OuterRef("first_address"),
            last_address__gte=OuterRef("last_address"),
        ).exclude(pk=OuterRef("pk"))
        depth = around.order_by().values("vrf").annotate(n=Count("pk")).values("n")
        return rows.annotate(depth=Coalesce(Subquery(depth), 0))

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        return ("vrf__name", "first_address", "-last_address")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("vrf",) if obj else ()

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Count what the rows of the page hold, in one statement."""
        shown = super().get_changelist_instance(request)
        counts = usage.counts_of_subnets([row.pk for row in shown.result_list])
        for row in shown.result_list:
            row.counts = counts[row.pk]
        return shown

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return only_vrf() | super().get_changeform_initial_data(request)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        try:
            address = canonical(term)
        except ValueError:
            matches = Q(name__icontains=term) | Q(site__icontains=term)
            if term.isascii() and term.isdecimal() and len(term) <= MOST_VLAN_DIGITS:
                matches |= Q(vlan_id=int(term))
            return queryset.filter(matches), False
        span, family = ranges.span_of(address), ranges.family_of(address)
        first, last = ranges.text_of(span.first, family), ranges.text_of(span.last, family)
        around = Q(network__in=ranges.containers_of(address))
        return queryset.filter(around | Q(first_address__gte=first, last_address__lte=last)), False

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        if subnet := kwargs.get("obj"):
            context |= subnet_page.context(subnet, at=request.GET.get("at", ""))
        return super().render_change_form(request, context, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Subnet, form: Any, change: bool) -> None:
        if change:
            fields = answers(form, changed=True)
            saved(obj, space.change_subnet(subnet_id=obj.pk, **fields))
        else:
            saved(obj, space.create_subnet(**answers(form)))

    def delete_model(self, request: HttpRequest, obj: Subnet) -> None:
        space.remove_subnet(subnet_id=obj.pk)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Nothing in use goes with a subnet; what lies in it moves up."""
        return [str(subnet) for subnet in objs], {"subnets": len(objs)}, set(), []

    @action(
        description="Add a subnet within",
        permissions=["add"],
        confirm="The new network lies in this one. Subnets that lie in the new one move under it.",
        button="Add it",
        icon="account_tree",
        form=WithinForm,
    )
    def add_within(self, request: HttpRequest, queryset: QuerySet, data: dict[str, Any]) -> HttpResponse:
        around = queryset.get()
        zone = data["zone"]
        made = space.create_subnet(
            vrf_id=around.vrf_id, network=data["network"], name=data["name"], vlan_id=data["vlan_id"],
            zone_id=zone.pk if zone else None,
        )  # fmt: skip
        messages.success(request, f"{made.network} is added.")
        return redirect("admin:ipam_subnet_change", made.pk)

    @action(
        description="Assign an address",
        permissions=["change"],
        confirm="An address of this subnet is given to a line, or to a device that has none.",
        button="Assign it",
        icon="add_link",
        form=AssignForm,
    )
    def assign(self, request: HttpRequest, queryset: QuerySet, data: dict[str, Any]) -> HttpResponse | None:
        return assign_and_say(request, data, subnet_id=queryset.get().pk)

    @action(
        description="Reserve a range",
        permissions=["change"],
        confirm="These addresses are kept back: nobody gets one of them unless it is asked for by name.",
        button="Reserve",
        icon="lock",
        form=ReserveForm,
    )
    def reserve_range(self, request: HttpRequest, queryset: QuerySet, data: dict[str, Any]) -> None:
        reserve_and_say(request, data, subnet_id=queryset.get().pk)

    @admin.display(description="Network")
    def network_in_tree(self, obj: Any) -> str:
        return format_html(
            '<span class="isp-tree" style="--depth:{}">{}</span>', min(obj.depth, 8), obj.network
        )

    @admin.display(description="Name")
    def name_shown(self, obj: Subnet) -> str:
        return obj.name or DASH

    @admin.display(description="VRF")
    def vrf_name(self, obj: Subnet) -> str:
        return obj.vrf.name

    @admin.display(description="Zone")
    def zone_name(self, obj: Subnet) -> str:
        return obj.zone.name if obj.zone else DASH

    @admin.display(description="VLAN")
    def vlan(self, obj: Subnet) -> Any:
        return obj.vlan_id or DASH

    @admin.display(description="Used")
    def used(self, obj: Any) -> str:
        return subnet_bar(obj, obj.counts)


def subnet_bar(subnet: Subnet, counts: usage.Counts) -> str:
    used = counts.assigned + counts.reserved + counts.quarantined
    if ranges.family_of(subnet.network) == 6:
        # Of more addresses than can be counted out a share says nothing.
        return f"{figures(used)} in use" if used else "nothing in use"
    return used_bar(used, counts.total, tone=tone_of(percent_of(used, counts.total)))


links.add("subnet", "admin:ipam_subnet_change")
navigation.add_list("Addresses", 20, "Subnets", Subnet, icon="lan")
