"""What accounts have in common: how sessions of a kind of service run, and the groups accounts belong to."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.urls import reverse

from aaa.models import Account, ServiceProfile, VirtualServer
from aaa.services import profiles
from aaa.services.profiles import names_of_users
from ispcore.admin import links, navigation
from ispcore.admin.base import TenantForm, TenantModelAdmin
from ispcore.admin.formats import DASH, duration
from ispcore.admin.site import register
from subscribers.admin.saving import answers, saved


def _with_accounts(rows: QuerySet[Any], field: str) -> QuerySet[Any]:
    users = Account.objects.filter(**{field: OuterRef("pk")}).order_by().values(field)
    counted = Subquery(users.annotate(n=Count("pk")).values("n"), output_field=IntegerField())
    return rows.annotate(account_count=Coalesce(counted, 0))


def _accounts_link(obj: Any, field: str) -> str:
    if not obj.account_count:
        return DASH
    url = f"{reverse('admin:aaa_account_changelist')}?{field}__id__exact={obj.pk}"
    return links.link(url, str(obj.account_count))


class ServiceProfileForm(TenantForm):
    class Meta:
        model = ServiceProfile
        fields: tuple[str, ...] = ()
        labels = {"mac_lock": "Which device may log in"}
        help_texts = {
            "interim_seconds": "How often the NAS reports usage: 300 to 600 suits most, 60 is the least.",
            "session_timeout": "86400 is a day. Empty: runs until somebody ends it.",
            "mac_lock": "Learned: the first device that logs in is the account's, until it is forgotten.",
        }


@register(ServiceProfile)
class ServiceProfileAdmin(TenantModelAdmin):
    """Kinds of RADIUS service, such as PPPoE or hotspot."""

    form = ServiceProfileForm
    list_display = ("name", "reports", "at_once", "device", "cap", "accounts")
    search_fields = ("name",)
    ordering = ("name",)
    sortable_by = ("name",)
    fieldsets = (
        (None, {"fields": ("name", "max_sessions", "mac_lock")}),
        ("Timers", {"fields": ("interim_seconds", "session_timeout", "idle_timeout")}),
        ("Pools on the NAS", {"description": "Names of pools that the NAS itself has, for accounts without addresses "
                              "of their own.", "fields": ("framed_pool", "ipv6_pool", "delegated_pool")}),
        ("Data caps", {"fields": ("cap_period", "cap_rolls_over")}),
    )  # fmt: skip
    empty_title = "No RADIUS service yet"
    empty_help = (
        "A RADIUS service says how sessions of a kind run: how often the NAS reports, how many devices at once, from "
        "which pools, and how long a data cap's period is. Every account has one; PPPoE is a good first name."
    )
    docs_path = "/docs"

    def get_queryset(self, request: HttpRequest) -> QuerySet[ServiceProfile]:
        return _with_accounts(super().get_queryset(request), "service_profile")

    def save_model(self, request: HttpRequest, obj: ServiceProfile, form: Any, change: bool) -> None:
        fields = answers(form, changed=change)
        if change:
            saved(obj, profiles.change_service_profile(service_profile_id=obj.pk, **fields))
        else:
            saved(obj, profiles.create_service_profile(**fields))

    def delete_model(self, request: HttpRequest, obj: ServiceProfile) -> None:
        profiles.remove_service_profile(service_profile_id=obj.pk)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        protected = [f"{each} is still used by {users}." for each in objs if (users := names_of_users(each))]
        return [str(each) for each in objs], {"RADIUS services": len(objs)}, set(), protected

    @admin.display(description="Reports every")
    def reports(self, obj: ServiceProfile) -> str:
        return duration(obj.interim_seconds)

    @admin.display(description="Sessions at once")
    def at_once(self, obj: ServiceProfile) -> str:
        return str(obj.max_sessions) if obj.max_sessions else "as many as they like"

    @admin.display(description="Device")
    def device(self, obj: ServiceProfile) -> str:
        return obj.get_mac_lock_display()

    @admin.display(description="Data cap per")
    def cap(self, obj: ServiceProfile) -> str:
        rolls = ", unused rolls over" if obj.cap_rolls_over else ""
        return f"{obj.get_cap_period_display()}{rolls}"

    @admin.display(description="Accounts")
    def accounts(self, obj: Any) -> str:
        return _accounts_link(obj, "service_profile")


class VirtualServerForm(TenantForm):
    class Meta:
        model = VirtualServer
        fields: tuple[str, ...] = ()
        help_texts = {"name": "What staff call the brand or group.", "description": "For colleagues."}

    def clean_realm(self) -> str:
        return str(self.cleaned_data["realm"]).lower()


@register(VirtualServer)
class VirtualServerAdmin(TenantModelAdmin):
    """Groups of accounts, as one RADIUS server serves several brands."""

    form = VirtualServerForm
    list_display = ("name", "realm_shown", "description", "accounts")
    search_fields = ("name", "realm")
    ordering = ("name",)
    sortable_by = ("name",)
    fieldsets = ((None, {"fields": ("name", "realm", "description")}),)
    empty_title = "No virtual server yet"
    empty_help = (
        "A virtual server is a group of accounts with a realm of its own, such as a brand you sell under. It is "
        "only needed where you have several; accounts work without one."
    )
    docs_path = "/docs"

    def get_queryset(self, request: HttpRequest) -> QuerySet[VirtualServer]:
        return _with_accounts(super().get_queryset(request), "virtual")

    def save_model(self, request: HttpRequest, obj: VirtualServer, form: Any, change: bool) -> None:
        fields = answers(form, changed=change)
        if change:
            saved(obj, profiles.change_virtual_server(virtual_server_id=obj.pk, **fields))
        else:
            saved(obj, profiles.create_virtual_server(**fields))

    def delete_model(self, request: HttpRequest, obj: VirtualServer) -> None:
        profiles.remove_virtual_server(virtual_server_id=obj.pk)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        protected = [f"{each} is still used by {users}." for each in objs if (users := names_of_users(each))]
        return [str(each) for each in objs], {"virtual servers": len(objs)}, set(), protected

    @admin.display(description="Realm")
    def realm_shown(self, obj: VirtualServer) -> str:
        return f"@{obj.realm}" if obj.realm else DASH

    @admin.display(description="Accounts")
    def accounts(self, obj: Any) -> str:
        return _accounts_link(obj, "virtual")


navigation.add_list("Access", 70, "RADIUS services", ServiceProfile, icon="settings_ethernet")
navigation.add_list("Access", 75, "Virtual servers", VirtualServer, icon="lan")
