"""Who may log in, with what, and under which terms."""

from datetime import datetime
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import formats, timezone
from django.utils.html import format_html

from aaa.admin import account_page, rejects, settings
from aaa.admin.actions import steer
from aaa.admin.filters import StandingFilter
from aaa.admin.forms import GigabytesField
from aaa.admin.words import customer_link, data, standing
from aaa.models import Account, AccountState, Session, TopUp
from aaa.models.fields import station_key, username_key
from aaa.services import accounts, caps, settling
from ispcore.admin import links, navigation
from ispcore.admin.actions import ActionForm, action, run_on_each
from ispcore.admin.base import TenantForm, TenantModelAdmin
from ispcore.admin.fields import MomentInput, Select, TextInput
from ispcore.admin.formats import DASH, moment, pill
from ispcore.admin.site import register
from ispcore.api.request import client_ip, request_id_of
from subscribers.admin.saving import answers, saved
from subscribers.models import Subscription

MOST_WORDS = 5
MOST_DIGITS = 9


class AccountForm(TenantForm):
    refused_fields: ClassVar = {
        "profile_id": "policy", "throttle_profile_id": "throttle_policy", "service_id": "service_profile",
        "virtual_id": "virtual", "pool_id": "pool", "subscription_id": "subscription",
    }  # fmt: skip
    cap_bytes = GigabytesField(
        required=False,
        label="Data cap, GB",
        help_text="Per period of the RADIUS service, up and down together; empty: none. With a service it is the "
        "cap of its plan, whatever stands here.",
    )

    class Meta:
        model = Account
        fields: tuple[str, ...] = ()
        labels = {"username": "User name", "policy": "Speed (policy)", "service_profile": "RADIUS service"}
        help_texts = {
            "password": "Empty on a new account: a random one is made. Shown only by Reveal password.",
            "subscription": "The customer's service it follows: plan, holds and addresses. Empty: it stands alone.",
            "service_profile": "Timers, pools, how many at once, and from which device.",
            "virtual": "The brand or group it belongs to.",
            "uncapped_data": "No data cap, whatever the plan says.",
            "over_cap": "What happens when cap and top-ups are used up.",
            "throttle_policy": "The speed when the cap is used up; only where it slows down.",
            "static_ip4": "Always this address. Kept back in the address plan where it lies in one of its subnets.",
            "calling_station_id": "MAC address, such as 02:00:5E:00:00:01. Empty where it is learned or any will do.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "password" in self.fields:
            self.fields["password"].required = False

    def clean_username(self) -> str:
        """Refuse a name that differs in case only: what is compared is no field of the form."""
        username: str = self.cleaned_data["username"]
        others = Account.objects.filter(username_key=username_key(username)).exclude(pk=self.instance.pk)
        if others.exists():
            raise forms.ValidationError("An account with this user name exists already.")
        return username


class TopUpForm(ActionForm):
    bytes = GigabytesField(label="Data, GB", help_text="On top of the cap, up and down together.")
    expires_at = forms.DateTimeField(
        required=False,
        label="Until",
        widget=MomentInput,
        help_text="In the provider's time zone. Empty: until the running period ends.",
    )
    note = forms.CharField(
        required=False, max_length=200, widget=TextInput, help_text="For colleagues, such as who paid for it."
    )

    def clean_expires_at(self) -> datetime | None:
        until: datetime | None = self.cleaned_data["expires_at"]
        if until and until <= timezone.now():
            raise forms.ValidationError("This time has passed already.")
        return until


class EndTopUpForm(ActionForm):
    top_up = forms.ChoiceField(label="Top-up", widget=Select, help_text="What was used of it stays allowed.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        still = TopUp.objects.filter(account__in=self.rows.order_by().values("pk"), closed_at=None)
        self.fields["top_up"].choices = [  # type: ignore[attr-defined]
            (
                str(top_up.pk),
                f"{data(top_up.bytes)}, bought {formats.date_format(top_up.valid_from, 'j M Y')}",
            )
            for top_up in still.order_by("-valid_from")[:50]
        ]


@register(Account)
class AccountAdmin(TenantModelAdmin):
    """Log-ins for access. Whoever manages accounts may write here; settings of routers are another right."""

    form = AccountForm
    list_display = ("username", "customer", "policy_name", "status", "last_seen", "last_place")
    list_filter = (StandingFilter, "service_profile", "virtual", "policy")
    list_per_page = 50
    search_fields = ("username",)
    search_help_text = "The beginnings of the user name or the device, or a service's number"
    ordering = ("-id",)
    sortable_by = ("username",)
    autocomplete_fields = ("subscription", "policy", "throttle_policy", "service_profile", "virtual")
    actions = ("disconnect", "enable", "disable")
    object_actions = (
        "add_top_up", "end_top_up", "forget_device", "reveal_password", "enable", "disable"
    )  # fmt: skip
    change_form_outer_before_template = "admin/aaa/account.html"
    fieldsets = (
        (
            "Who logs in",
            {"fields": ("username", "password", "name", "subscription", "enabled", "expires_at")},
        ),
        (
            "What it gets",
            {"fields": ("service_profile", "policy", "keeps_policy", "max_sessions", "virtual")},
        ),
        ("Data", {"fields": ("cap_bytes", "uncapped_data", "over_cap", "throttle_policy", "timezone")}),
        (
            "Addresses and device",
            {
                "description": "Leave these empty for what the NAS, the RADIUS service or the address plan gives.",
                "fields": (
                    "calling_station_id",
                    "pool",
                    "static_ip4",
                    "framed_ipv6_prefix",
                    "delegated_prefix",
                ),
            },
        ),
        ("Tidying up", {"fields": ("inactive_purge_hours", "purge_if_seen")}),
    )
    empty_title = "No account yet"
    empty_help = (
        "An account is a user name and password with which a customer's router logs in, and what it gets: speed, "
        "addresses, a data cap. It follows the service it belongs to; Access settings can make one with each service."
    )
    docs_path = "/docs"
    history_ignore = ("username_key", "calling_station_key", "wanted", "settled_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Account]:
        online = Session.objects.filter(account=OuterRef("pk"), stopped_at=None)
        rows = (
            super()
            .get_queryset(request)
            .select_related("policy", "service_profile", "subscription__subscriber")
        )
        states = Prefetch("states", AccountState.objects.all(), to_attr="state_rows")
        return rows.prefetch_related(states).annotate(is_online=Exists(online))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Account], search_term: str
    ) -> tuple[QuerySet[Account], bool]:
        for word in search_term.lower().split()[:MOST_WORDS]:
            found = Q(username_key__prefix=word) | Q(
                calling_station_key__prefix=station_key(word), calling_station_key__gt=""
            )
            number = word.removeprefix("#")
            if number.isascii() and number.isdecimal() and len(number) <= MOST_DIGITS:
                # Looked up first: joined, an OR over both tables would read all of either.
                line = Subscription.objects.filter(number=int(number)).values_list("pk", flat=True)
                found |= Q(subscription__in=list(line))
            queryset = queryset.filter(found)
        return queryset, False

    def get_urls(self) -> list[URLPattern]:
        views = [
            path("rejects/", self.admin_site.admin_view(self.rejects_view), name="aaa_rejects"),
            path("settings/", self.admin_site.admin_view(self.settings_view), name="aaa_radius_settings"),
        ]
        return [*views, *super().get_urls()]

    def rejects_view(self, request: HttpRequest) -> HttpResponse:
        return rejects.rejects_view(self, request)

    def settings_view(self, request: HttpRequest) -> HttpResponse:
        return settings.settings_view(self, request)

    def has_manage_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether this person may make, change and purge accounts."""
        return request.user.has_perm("aaa.manage")

    def has_reveal_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("aaa.reveal")

    has_add_permission = has_change_permission = has_delete_permission = has_manage_permission

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        given = super().get_changeform_initial_data(request)
        return {"timezone": request.tenant.timezone, **given}  # type: ignore[attr-defined]

    def save_model(self, request: HttpRequest, obj: Account, form: Any, change: bool) -> None:
        fields, at = answers(form, changed=change), timezone.now()
        if "password" in fields:
            fields["password"] = fields["password"].reveal()
        if change:
            made = accounts.change_account(account_id=obj.pk, at=at, user_id=request.user.pk, **fields)
        else:
            made = accounts.create_account(at=at, user_id=request.user.pk, **fields)
        saved(obj, made)

    def delete_model(self, request: HttpRequest, obj: Account) -> None:
        accounts.purge_accounts(account_ids=[obj.pk], at=timezone.now())

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Say what goes with an account, and what stays."""
        keys = [account.pk for account in objs]
        counts = {
            "accounts": len(keys),
            "top-ups": TopUp.objects.filter(account__in=keys).count(),
            "live sessions, which are disconnected": Session.objects.filter(
                account__in=keys, stopped_at=None
            ).count(),
        }
        return (
            [f"{account}; its past sessions and usage stay on record" for account in objs],
            counts,
            set(),
            [],
        )

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        if account := kwargs.get("obj"):
            context |= account_page.context(request, account)
        return super().render_change_form(request, context, *args, **kwargs)

    @action(
        description="Disconnect",
        permissions=["operate"],
        confirm="All live sessions of these accounts are ended. Most routers dial in again at once.",
        icon="link_off",
        danger=True,
        available=lambda account: account.is_online,
    )
    def disconnect(self, request: HttpRequest, queryset: QuerySet[Account]) -> HttpResponse | None:
        live = Session.objects.filter(stopped_at=None, account__in=queryset.order_by().values("pk"))
        return steer(request, live, ends=True)

    @action(
        description="Switch on",
        permissions=["manage"],
        confirm="Log-ins are let in again, where nothing else speaks against it.",
        icon="toggle_on",
        available=lambda account: not account.enabled,
    )
    def enable(self, request: HttpRequest, queryset: QuerySet[Account]) -> None:
        self._change(request, queryset, done="Switched on: {count}.", enabled=True)

    @action(
        description="Switch off",
        permissions=["manage"],
        confirm="Every log-in is refused from now on, and who is online is disconnected.",
        icon="toggle_off",
        danger=True,
        available=lambda account: account.enabled,
    )
    def disable(self, request: HttpRequest, queryset: QuerySet[Account]) -> None:
        self._change(request, queryset, done="Switched off: {count}.", enabled=False)

    @action(
        description="Forget the device",
        permissions=["manage"],
        confirm="Any device may log in with it next. Where the RADIUS service learns devices, the next one that logs "
        "in is the account's.",
        icon="phonelink_erase",
        available=lambda account: bool(account.calling_station_id),
    )
    def forget_device(self, request: HttpRequest, queryset: QuerySet[Account]) -> None:
        self._change(request, queryset, done="The device is forgotten.", calling_station_id="")

    @action(
        description="Add top-up",
        permissions=["manage"],
        confirm="The account gets more data. Who was refused or slowed down has full service again at once.",
        button="Add it",
        icon="add_circle",
        available=lambda account: account.cap_bytes is not None and not account.uncapped_data,
        form=TopUpForm,
    )
    def add_top_up(self, request: HttpRequest, queryset: QuerySet[Account], given: dict[str, Any]) -> None:
        account, at = queryset.get(), timezone.now()
        accounts.lock_account(account.pk)
        caps.add_top_up(account_id=account.pk, at=at, user_id=request.user.pk, **given)
        settling.settle([account.pk], at=at)
        messages.success(request, f"{data(given['bytes'])} added.")

    @action(
        description="End a top-up",
        permissions=["manage"],
        confirm="What is left of the top-up is taken back.",
        button="End it",
        icon="remove_circle",
        danger=True,
        available=lambda account: TopUp.objects.filter(account=account, closed_at=None).exists(),
        form=EndTopUpForm,
    )
    def end_top_up(self, request: HttpRequest, queryset: QuerySet[Account], given: dict[str, Any]) -> None:
        account, at = queryset.get(), timezone.now()
        accounts.lock_account(account.pk)
        caps.end_top_up(account_id=account.pk, top_up_id=given["top_up"], at=at)
        settling.settle([account.pk], at=at)
        messages.success(request, "The top-up is ended.")

    @action(
        description="Reveal password",
        permissions=["reveal"],
        confirm="The password is shown once on the next page. That you saw it is recorded in the audit.",
        button="Show it",
        icon="visibility",
    )
    def reveal_password(self, request: HttpRequest, queryset: QuerySet[Account]) -> HttpResponse:
        account = queryset.get()
        password = accounts.reveal_password(
            account, user_id=request.user.pk, ip=client_ip(request), request_id=request_id_of(request)
        )
        context = {
            **self.admin_site.each_context(request),
            "title": f"Password of {account.username}",
            "password": password,
            "back": reverse("admin:aaa_account_change", args=[account.pk]),
        }
        return TemplateResponse(
            request, "admin/aaa/password.html", context, headers={"Cache-Control": "no-store"}
        )

    def _change(self, request: HttpRequest, queryset: QuerySet[Account], *, done: str, **fields: Any) -> None:
        at = timezone.now()
        run_on_each(
            self,
            request,
            queryset,
            lambda account: accounts.change_account(
                account_id=account.pk, at=at, user_id=request.user.pk, **fields
            ),
            done=done,
        )

    @admin.display(description="Customer and service")
    def customer(self, obj: Account) -> str:
        return customer_link(obj) if obj.subscription_id else obj.name or DASH

    @admin.display(description="Policy")
    def policy_name(self, obj: Account) -> str:
        return obj.policy.name if obj.policy else "not limited"

    @admin.display(description="Status")
    def status(self, obj: Any) -> str:
        words, tone = standing(obj, state_of(obj), timezone.now())
        if obj.is_online and tone == "good":
            return pill("Online", "good")
        drawn = pill(words, tone)
        return format_html(
            '<span class="isp-pills">{}{}</span>', pill("Online", "good") if obj.is_online else "", drawn
        )

    @admin.display(description="Last seen")
    def last_seen(self, obj: Any) -> str:
        state = state_of(obj)
        return moment(state.last_seen_at if state else None, empty="never")

    @admin.display(description="Last address")
    def last_place(self, obj: Any) -> str:
        state = state_of(obj)
        return (state.last_ip if state else None) or DASH


def state_of(account: Any) -> AccountState | None:
    rows: list[AccountState] = account.state_rows
    return rows[0] if rows else None


links.add("account", "admin:aaa_account_change")
navigation.add_list("Access", 20, "Accounts", Account, icon="badge")
