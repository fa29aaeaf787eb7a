from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from ipam.admin import address_page
from ipam.admin.filters import SubnetFilter, VrfFilter, chosen_filter
from ipam.admin.words import STATE_TONES, holder
from ipam.models import Address, AddressState, Pool
from ipam.services import release, searching
from ispcore.admin import links, navigation
from ispcore.admin.actions import ActionForm, action, run_on_each
from ispcore.admin.base import ServiceForm, TenantModelAdmin
from ispcore.admin.fields import TextInput
from ispcore.admin.formats import DASH, choice_column, time_column
from ispcore.admin.site import register
from subscribers.admin.saving import answers, saved
from subscribers.models import Subscription
from subscribers.normal import line_number


class ReleaseForm(ActionForm):
    reason = forms.CharField(
        max_length=120,
        widget=TextInput,
        help_text="Kept with who held it, for example 'moved to another plan'.",
    )


class KeepForm(ActionForm):
    reserved_for = forms.CharField(
        max_length=120, widget=TextInput, label="Why", help_text="For example 'new router at the exchange'."
    )


class AddressForm(ServiceForm):
    class Meta:
        model = Address
        fields: tuple[str, ...] = ()
        labels = {"hostname": "Host name"}
        help_texts = {
            "hostname": "As DNS knows it, such as 'ns1.example.org'.",
            "note": "For colleagues.",
        }


@register(Address)
class AddressAdmin(TenantModelAdmin):
    """Addresses and delegated prefixes: their state is changed by actions, never by a field."""

    list_display = (
        "address",
        choice_column("state", "State", STATE_TONES),
        "held_by",
        "host",
        "pool_name",
        "subnet_name",
        "vrf_name",
        time_column("assigned_at", "Since"),
    )
    list_filter = (
        "state",
        ("vrf", VrfFilter),
        chosen_filter(Pool, "pool", "pool"),
        SubnetFilter,
    )
    list_select_related = ("pool", "subnet", "vrf", "subscription__subscriber")
    # What is searched are addresses, host names and services: see get_search_results.
    search_fields = ("hostname",)
    search_help_text = "An address or its beginning, a network, a host name, or a service's number"
    ordering = ("address",)
    sortable_by = ()
    actions = ("release_them", "free_them")
    object_actions = ("release_it", "keep", "free_it")
    change_form_outer_before_template = "admin/ipam/address/page.html"
    form = AddressForm
    fieldsets = (("What it is called", {"fields": ("hostname", "note")}),)
    empty_title = "No address is written down yet"
    empty_help = (
        "Addresses appear here when a pool first hands some out, when one is reserved or assigned by hand, or when "
        "they are imported. What has no row here is free. Make a subnet and a pool, or import what you have."
    )
    docs_path = "/docs"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Address]:
        return super().get_queryset(request).select_related(*self.list_select_related, "changed_by")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # A pool or a subnet hands them out.

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # One that is released is free again, and who had it stays known.

    def save_model(self, request: HttpRequest, obj: Address, form: Any, change: bool) -> None:
        if form.changed_data:
            saved(obj, release.describe(address_id=obj.pk, **answers(form, changed=True)))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        number = line_number(term.removeprefix("#"))
        if number is not None:
            line = Subscription.objects.filter(number=number).values("pk")
            return queryset.filter(subscription__in=line), False
        return searching.search(queryset, term), False

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        if address := kwargs.get("obj"):
            context |= address_page.context(address)
        return super().render_change_form(request, context, *args, **kwargs)

    @action(
        description="Release",
        permissions=["change"],
        confirm="It is taken from who holds it, and rests for its pool's time before somebody else gets it. On the "
        "network nothing changes by this: a session that uses it goes on.",
        icon="link_off",
        danger=True,
        available=lambda address: address.state == AddressState.ASSIGNED,
        form=ReleaseForm,
    )
    def release_it(self, request: HttpRequest, queryset: QuerySet[Address], data: dict[str, Any]) -> None:
        self._release(request, queryset, data["reason"])

    @action(
        description="Release…",
        permissions=["change"],
        confirm="They are taken from who holds them, and rest for their pools' time before somebody else gets them.",
        button="Release them",
        danger=True,
        form=ReleaseForm,
    )
    def release_them(self, request: HttpRequest, queryset: QuerySet[Address], data: dict[str, Any]) -> None:
        self._release(request, queryset, data["reason"])

    @action(
        description="Reserve",
        permissions=["change"],
        confirm="It is kept back: nobody gets it unless it is asked for by name.",
        icon="lock",
        available=lambda address: address.state == AddressState.FREE,
        form=KeepForm,
    )
    def keep(self, request: HttpRequest, queryset: QuerySet[Address], data: dict[str, Any]) -> None:
        at = timezone.now()
        run_on_each(
            self,
            request,
            queryset.order_by("pk"),
            lambda each: release.reserve(
                at=at,
                address=each.address,
                reserved_for=data["reserved_for"],
                pool_id=each.pool_id,
                subnet_id=None if each.pool_id else each.subnet_id,
                user_id=request.user.pk,
            ),
            done="Reserved.",
        )

    @action(
        description="Free it",
        permissions=["change"],
        confirm="It is no longer kept back: whoever needs one may get it.",
        icon="lock_open",
        available=lambda address: address.state == AddressState.RESERVED,
    )
    def free_it(self, request: HttpRequest, queryset: QuerySet[Address]) -> None:
        self._free(request, queryset)

    @action(
        description="Free reserved ones…",
        permissions=["change"],
        confirm="They are no longer kept back: whoever needs one may get it.",
        button="Free them",
    )
    def free_them(self, request: HttpRequest, queryset: QuerySet[Address]) -> None:
        self._free(request, queryset)

    def _release(self, request: HttpRequest, queryset: QuerySet[Address], reason: str) -> None:
        at = timezone.now()
        run_on_each(
            self,
            request,
            queryset.order_by("pk"),
            lambda each: release.release(at=at, address_id=each.pk, reason=reason, user_id=request.user.pk),
            done="Released: {count}.",
        )

    def _free(self, request: HttpRequest, queryset: QuerySet[Address]) -> None:
        at = timezone.now()
        run_on_each(
            self,
            request,
            queryset.order_by("pk"),
            lambda each: release.unreserve(at=at, address_id=each.pk, user_id=request.user.pk),
            done="Freed: {count}.",
        )

    @admin.display(description="Holder")
    def held_by(self, obj: Address) -> str:
        return holder(obj)

    @admin.display(description="Host name")
    def host(self, obj: Address) -> str:
        return obj.hostname or DASH

    @admin.display(description="Pool")
    def pool_name(self, obj: Address) -> str:
        return obj.pool.name if obj.pool else DASH

    @admin.display(description="Subnet")
    def subnet_name(self, obj: Address) -> str:
        return obj.subnet.network if obj.subnet else DASH

    @admin.display(description="VRF")
    def vrf_name(self, obj: Address) -> str:
        return obj.vrf.name


links.add("address", "admin:ipam_address_change")
navigation.add_list("Addresses", 40, "Addresses", Address, icon="pin")
