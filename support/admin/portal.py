"""Who logs in to the customers' portal: a tab of the customer's page, and a record with its buttons."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from ispcore.admin import links, navigation
from ispcore.admin.actions import action
from ispcore.admin.base import BegunByForm, ServiceForm, TenantModelAdmin
from ispcore.admin.formats import DASH, moment, pill
from ispcore.admin.site import register
from ispcore.api.request import client_ip, request_id_of
from subscribers.admin import tabs
from subscribers.admin.saving import saved
from subscribers.models import Subscriber
from support.models import PortalAccount
from support.services.portal import staff

# The buttons, and what whoever presses one may do.
DEEDS = {"send_link": "change", "end_log_ins": "change", "close_access": "delete", "open_access": "delete"}
WAITS = "The log-in link is on its way. It works once, for 15 minutes."


class AccountForm(ServiceForm):
    refused_fields: ClassVar = {"subscriber_id": "subscriber"}

    class Meta:
        model = PortalAccount
        fields: tuple[str, ...] = ()


class AccessFilter(admin.SimpleListFilter):
    title = "access"
    parameter_name = "access"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("open", "Open"), ("invited", "Invited"), ("closed", "Closed")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[PortalAccount]) -> QuerySet[PortalAccount]:
        if self.value() == "open":
            return queryset.filter(user__isnull=False)
        if self.value() == "invited":
            return queryset.filter(user=None, closed_at=None)
        if self.value() == "closed":
            return queryset.filter(closed_at__isnull=False)
        return queryset


@register(PortalAccount)
class PortalAccountAdmin(BegunByForm, TenantModelAdmin):
    """Customers who may log in."""

    form = AccountForm
    title_of_new = "Invite a customer to the portal"
    list_display = ("customer", "logs_in_as", "access_shown", "language_shown", "last_log_in")
    list_display_links = ("customer",)
    list_filter = (AccessFilter,)
    list_select_related = ("subscriber", "user")
    autocomplete_fields = ("subscriber",)
    ordering = ("-id",)
    sortable_by = ()
    object_actions = tuple(DEEDS)
    add_fieldsets = (
        (
            None,
            {
                "fields": ("subscriber",),
                "description": "The customer gets an e-mail with a link that logs in once, for 15 minutes. Customers "
                "may ask for one themselves at the portal too; nobody has to be invited.",
            },
        ),
    )
    fieldsets = (
        (
            None,
            {"fields": ("subscriber_link", "logs_in_as", "access_shown", "language_shown", "last_log_in")},
        ),
    )
    empty_title = "No customer has logged in to the portal yet"
    empty_help = (
        "Customers log in by a link that comes by e-mail: the first one they follow opens their account, and it "
        "stands here. Invite one to send the link from here."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[PortalAccount]:
        return super().get_queryset(request).select_related("subscriber", "user")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fieldsets if obj else self.add_fieldsets

    def has_steer_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether this person may send links and end log-ins; who works at the desk may."""
        return request.user.has_perm("support.change")

    def has_shut_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether this person may close and open an access; who runs the desk may."""
        return request.user.has_perm("support.delete")

    def save_model(self, request: HttpRequest, obj: PortalAccount, form: Any, change: bool) -> None:
        saved(obj, staff.invite(subscriber_id=obj.subscriber_id, **_who(request)))

    def response_add(self, request: HttpRequest, obj: Any, *args: Any, **kwargs: Any) -> Any:
        messages.success(request, WAITS)
        return super().response_add(request, obj, *args, **kwargs)

    @action(
        description="Send log-in link",
        permissions=["steer"],
        confirm="The customer gets an e-mail with a link that logs in once, for 15 minutes. An earlier link ends.",
        button="Send it",
        icon="mail",
        available=lambda obj: obj.closed_at is None,
    )
    def send_link(self, request: HttpRequest, queryset: QuerySet[PortalAccount]) -> None:
        for account in queryset:
            staff.send_link(account_id=account.pk, **_who(request))
            messages.success(request, WAITS)

    @action(
        description="End all log-ins",
        permissions=["steer"],
        confirm="The customer is logged out on every device. A link or the password lets them in again.",
        button="End them",
        icon="logout",
        available=lambda obj: obj.user_id is not None,
    )
    def end_log_ins(self, request: HttpRequest, queryset: QuerySet[PortalAccount]) -> None:
        for account in queryset:
            staff.end_log_ins(account_id=account.pk, **_who(request))
            messages.success(request, "Logged out on every device.")

    @action(
        description="Close access",
        permissions=["shut"],
        confirm="The customer is logged out, of the API too, and gets no link until the access is opened again.",
        button="Close it",
        icon="block",
        danger=True,
        available=lambda obj: obj.closed_at is None,
    )
    def close_access(self, request: HttpRequest, queryset: QuerySet[PortalAccount]) -> None:
        for account in queryset:
            staff.close_access(account_id=account.pk, at=timezone.now())
            messages.success(request, "The access is closed.")

    @action(
        description="Open access",
        permissions=["shut"],
        confirm="The customer may ask for links again. None is sent by this.",
        button="Open it",
        icon="lock_open",
        available=lambda obj: obj.closed_at is not None,
    )
    def open_access(self, request: HttpRequest, queryset: QuerySet[PortalAccount]) -> None:
        for account in queryset:
            staff.open_access(account_id=account.pk)
            messages.success(request, "The access is open.")

    @admin.display(description="Customer")
    def customer(self, obj: PortalAccount) -> str:
        return obj.subscriber.full_name

    @admin.display(description="Customer")
    def subscriber_link(self, obj: PortalAccount) -> str:
        return links.link(links.url_of("subscriber", obj.subscriber_id), obj.subscriber.full_name)

    @admin.display(description="Logs in as")
    def logs_in_as(self, obj: PortalAccount) -> str:
        return obj.user.email if obj.user else DASH

    @admin.display(description="Access")
    def access_shown(self, obj: PortalAccount) -> str:
        return access_pill(obj)

    @admin.display(description="Language")
    def language_shown(self, obj: PortalAccount) -> str:
        return str(obj.get_language_display()) if obj.language else "the provider's"

    @admin.display(description="Last log-in")
    def last_log_in(self, obj: PortalAccount) -> str:
        return moment(obj.last_login_at, empty="never")


def access_pill(account: PortalAccount | None) -> str:
    if account is None:
        return pill("Not used yet", "plain")
    if account.closed_at is not None:
        return pill("Closed", "danger")
    return pill("Open", "good") if account.user_id else pill("Invited", "info")


def portal_tab(request: HttpRequest, subscriber: Subscriber) -> dict[str, Any]:
    """Show whether a customer logs in to the portal, and what may be done about it."""
    rows = PortalAccount.objects.filter(subscriber=subscriber).select_related("user", "subscriber")
    account: PortalAccount | None = rows.first()
    may_steer = request.user.has_perm("support.change")
    buttons: list[tuple[str, str]] = []
    if account is None and may_steer and subscriber.email:
        url = reverse("admin:support_portalaccount_add")
        buttons = [("Invite to the portal", f"{url}?subscriber={subscriber.pk}")]
    if account is not None:
        buttons = [
            (title, reverse("admin:support_portalaccount_action", args=[account.pk, name]))
            for name, title, is_open in _deeds(account)
            if is_open and request.user.has_perm(f"support.{DEEDS[name]}")
        ]
    facts = [
        ("Access", access_pill(account)),
        ("Logs in as", account.user.email if account and account.user else DASH),
        ("Last log-in", moment(account.last_login_at if account else None, empty="never")),
    ]
    if account and account.closed_at:
        facts.append(("Closed", moment(account.closed_at)))
    return {
        "portal_facts": facts,
        "portal_buttons": buttons,
        "portal_hint": "" if subscriber.email else "Without an e-mail address nobody can log in.",
        "portal_url": reverse("admin:support_portalaccount_change", args=[account.pk]) if account else "",
    }


def _deeds(account: PortalAccount) -> list[tuple[str, str, bool]]:
    runs = [(name, getattr(PortalAccountAdmin, name)) for name in DEEDS]
    return [(name, run.short_description, run.available(account)) for name, run in runs]


def _who(request: HttpRequest) -> dict[str, Any]:
    return {
        "user_id": request.user.pk,
        "ip": client_ip(request),
        "request_id": request_id_of(request),
    }


tabs.add(
    55,
    "portal",
    "Portal",
    template="admin/support/customer_portal.html",
    allowed="support.view_portalaccount",
    read=portal_tab,
)
navigation.add_list("Support", 65, "Portal accounts", PortalAccount, icon="badge")
