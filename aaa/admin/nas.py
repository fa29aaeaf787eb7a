"""The routers and hotspots that ask, and how they are doing."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone

from aaa import selectors
from aaa.admin.actions import rows_of
from aaa.admin.trying import TestLoginForm
from aaa.admin.words import VERDICT_ADVICE, VERDICT_TONES, verdict_pill
from aaa.models import Nas, NasRealm, NasType, Session, SessionAction
from aaa.models.nas import REALM
from aaa.selectors import Health
from aaa.services import nas as services
from aaa.services import trying
from ispcore.admin import links, navigation
from ispcore.admin.actions import ActionForm, action
from ispcore.admin.base import TenantForm, TenantModelAdmin
from ispcore.admin.fields import Select, TextInput
from ispcore.admin.formats import DASH, moment
from ispcore.admin.site import register
from ispcore.tenants.context import current_tenant_id
from ispcore.tenants.models import Tenant
from subscribers.admin.saving import answers, saved

ACTIONS_SHOWN = 8
LEAST_SECRET, MOST_SECRET = 8, 64
MOST_PROVIDERS = 500


class NasForm(TenantForm):
    class Meta:
        model = Nas
        fields: tuple[str, ...] = ()
        labels = {"nas_type": "Type", "is_active": "Is active"}
        help_texts = {
            "secret": "8 to 64 letters, digits and signs without spaces, the same on the NAS. Stored encrypted and "
            "never shown again.",
            "coa_port": "Empty: 3799, and 1700 for Cisco.",
            "octets_mode": "What its traffic counters hold where IPv6 is carried. Combined suits most.",
            "swaps_octets": "Tick it where download and upload stand the wrong way round in usage.",
            "nas_ip_reported": "Its NAS-IP-Address, where that is another than its address. Some check it in a CoA.",
            "nas_identifier": "Its NAS-Identifier, where a CoA must name it.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "address" in self.fields:
            self.fields["address"].required = True
        if "coa_port" in self.fields:
            self.fields["coa_port"].required = False
            if self.instance._state.adding:
                self.initial["coa_port"] = None

    def clean_secret(self) -> Any:
        secret = self.cleaned_data["secret"]
        if "secret" in self.changed_data:
            plain = secret.reveal()
            printable = all("!" <= sign <= "~" for sign in plain)
            if not (printable and LEAST_SECRET <= len(plain) <= MOST_SECRET):
                raise forms.ValidationError("8 to 64 letters, digits and signs, without spaces and accents.")
        return secret

    def clean_coa_port(self) -> int:
        return self.cleaned_data["coa_port"] or 0


class GrantRealmForm(ActionForm):
    realm = forms.CharField(
        max_length=253,
        widget=TextInput,
        help_text="What follows the @ of that provider's user names, such as isp.example.",
    )
    guest = forms.ChoiceField(label="Provider", widget=Select, help_text="Whose customers these are.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        others = Tenant.objects.exclude(pk=current_tenant_id()).order_by("name")[:MOST_PROVIDERS]
        self.fields["guest"].choices = [(str(each.pk), each.name) for each in others]  # type: ignore[attr-defined]

    def clean_realm(self) -> str:
        realm: str = self.cleaned_data["realm"].strip().removeprefix("@").lower()
        REALM(realm)
        return realm


class WithdrawRealmForm(ActionForm):
    realm_id = forms.ChoiceField(label="Realm", widget=Select)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        realms = NasRealm.objects.filter(nas__in=self.rows.order_by().values("pk")).order_by("realm")
        self.fields["realm_id"].choices = [(str(each.pk), f"@{each.realm}") for each in realms]  # type: ignore[attr-defined]


@register(Nas)
class NasAdmin(TenantModelAdmin):
    """Registered by hand; what is said of their health is read off their packets."""

    form = NasForm
    list_display = ("name", "address_shown", "type_shown", "state", "auth", "accounting", "online", "refused")
    list_filter = ("nas_type", "is_active", "zone")
    search_fields = ("name", "site")
    ordering = ("name",)
    sortable_by = ("name",)
    autocomplete_fields = ("zone",)
    object_actions = ("test_login", "grant_realm", "withdraw_realm")
    change_form_outer_before_template = "admin/aaa/nas.html"
    fieldsets = (
        ("What it is", {"fields": ("name", "nas_type", "address", "secret", "is_active", "zone", "site")}),
        (
            "How live sessions are changed",
            {
                "description": "CoA and Disconnect (RFC 5176) are sent to this port; switch them on on the NAS.",
                "fields": ("coa_port", "coa_address", "nas_ip_reported", "nas_identifier"),
            },
        ),
        (
            "What it counts, and safety",
            {"fields": ("octets_mode", "swaps_octets", "require_message_authenticator")},
        ),
        ("Notes", {"fields": ("notes",)}),
    )
    empty_title = "No NAS is registered"
    empty_help = (
        "A NAS (network access server) is the router or hotspot your customers' connections end at. Register it with "
        "the address its RADIUS packets come from and a shared secret; enter the same secret and this server's "
        "address there, and try a test log-in."
    )
    docs_path = "/docs"
    history_ignore = ("last_auth_at", "last_acct_at", "sends_gigawords")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A mirror stands for another provider's NAS, who changes it."""
        return super().has_change_permission(request, obj) and not (obj and obj.mirror_of)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and not (obj and obj.mirror_of)

    def has_platform_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether this person runs the installation, and may share a NAS among its providers."""
        return bool(getattr(request.user, "is_platform_staff", False))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Nas]:
        return super().get_queryset(request).annotate(realm_count=Count("realms"))

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Judge the NASes of the page together: two queries, however many there are."""
        shown = super().get_changelist_instance(request)
        nases = list(shown.result_list)
        found = selectors.health_of(nases, at=timezone.now())
        for nas in nases:
            nas.health = found[nas.pk]
        shown.result_list = nases
        return shown

    def save_model(self, request: HttpRequest, obj: Nas, form: Any, change: bool) -> None:
        fields = answers(form, changed=change)
        if change:
            saved(obj, services.change_nas(nas_id=obj.pk, **fields))
        else:
            saved(obj, services.create_nas(**fields))

    def delete_model(self, request: HttpRequest, obj: Nas) -> None:
        services.remove_nas(nas_id=obj.pk)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Say what goes with a NAS; its sessions stay on record."""
        keys = [nas.pk for nas in objs]
        counts = {
            "NASes, whose packets are dropped from now on": len(keys),
            "wholesale realms it carries": NasRealm.objects.filter(nas__in=keys).count(),
            "entries of the CoA log": SessionAction.objects.filter(nas__in=keys).count(),
            "live sessions, which nobody can end from here any more": Session.objects.filter(
                nas__in=keys, stopped_at=None
            ).count(),
        }
        return [str(nas) for nas in objs], counts, set(), []

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        if nas := kwargs.get("obj"):
            context |= page_of(nas)
        return super().render_change_form(request, context, *args, **kwargs)

    @action(
        description="Test log-in",
        permissions=["operate"],
        confirm="A real Access-Request is sent to the RADIUS server as this NAS would, and its answer shown. It "
        "counts like any log-in: it is logged, and where devices are learned, the one you name is the account's.",
        button="Send it",
        icon="login",
        available=lambda nas: nas.is_active,
        form=TestLoginForm,
    )
    def test_login(
        self, request: HttpRequest, queryset: QuerySet[Nas], given: dict[str, Any]
    ) -> HttpResponse:
        job = trying.request_test_login(nas_id=queryset.get().pk, user_id=request.user.pk, **given)
        return redirect("admin:jobs_job_change", job.pk)

    @action(
        description="Carry a realm",
        permissions=["platform", "change"],
        confirm="Log-ins as user@realm on this NAS are asked of another provider of this installation, who sees the "
        "sessions as its own.",
        button="Carry it",
        icon="handshake",
        available=lambda nas: nas.mirror_of is None,
        form=GrantRealmForm,
    )
    def grant_realm(self, request: HttpRequest, queryset: QuerySet[Nas], given: dict[str, Any]) -> None:
        services.grant_realm(nas_id=queryset.get().pk, **given)
        messages.success(request, f"@{given['realm']} is carried.")

    @action(
        description="Stop a realm",
        permissions=["platform", "change"],
        confirm="Log-ins of this realm are no longer asked of that provider.",
        button="Stop it",
        icon="link_off",
        danger=True,
        available=lambda nas: nas.realm_count > 0,
        form=WithdrawRealmForm,
    )
    def withdraw_realm(self, request: HttpRequest, queryset: QuerySet[Nas], given: dict[str, Any]) -> None:
        services.withdraw_realm(nas_id=queryset.get().pk, realm_id=given["realm_id"])
        messages.success(request, "The realm is no longer carried.")

    @admin.display(description="Address", ordering="address")
    def address_shown(self, obj: Nas) -> str:
        return obj.address or "another provider's"

    @admin.display(description="Type")
    def type_shown(self, obj: Nas) -> str:
        return obj.get_nas_type_display()

    @admin.display(description="State")
    def state(self, obj: Any) -> str:
        return verdict_pill(obj.health.verdict)

    @admin.display(description="Last log-in")
    def auth(self, obj: Nas) -> str:
        return moment(obj.last_auth_at, empty="never")

    @admin.display(description="Last accounting")
    def accounting(self, obj: Nas) -> str:
        return moment(obj.last_acct_at, empty="never")

    @admin.display(description="Online")
    def online(self, obj: Any) -> str:
        if not obj.health.open_sessions:
            return DASH
        url = f"{reverse('admin:aaa_session_changelist')}?nas={obj.pk}"
        return links.link(url, str(obj.health.open_sessions))

    @admin.display(description="Refused, last hour")
    def refused(self, obj: Any) -> str:
        return refused_words(obj.health)


def refused_words(health: Health) -> str:
    if health.reject_rate is None:
        return DASH
    return f"{100 * health.reject_rate:.0f} % of {health.accepts + health.rejects}"


def page_of(nas: Nas) -> dict[str, Any]:
    """Return what a NAS' page says of its health and of what it carries."""
    found = selectors.health_of([nas], at=timezone.now())[nas.pk]
    sessions = reverse("admin:aaa_session_changelist")
    rejects = f"{reverse('admin:aaa_rejects')}?nas={nas.pk}"
    online = links.link(f"{sessions}?nas={nas.pk}", str(found.open_sessions))
    realms = NasRealm.objects.filter(nas=nas).select_related("guest").order_by("realm")
    return {
        "verdict": verdict_pill(found.verdict),
        "advice": VERDICT_ADVICE[found.verdict],
        "advice_tone": VERDICT_TONES[found.verdict],
        "verdict_words": found.verdict.label,
        "nas_facts": [
            ("Last log-in seen", moment(nas.last_auth_at, empty="never")),
            ("Last accounting seen", moment(nas.last_acct_at, empty="never")),
            ("Online now", online if found.open_sessions else "nobody"),
            ("Let in, last hour", found.accepts),
            ("Refused, last hour", links.link(rejects, refused_words(found)) if found.rejects else "none"),
            ("Type", NasType(nas.nas_type).label),
            ("CoA goes to", f"{nas.coa_address or nas.address or 'its owner'}, port {nas.coa_port}"),
            ("Counts beyond 4 GB", "yes, seen" if nas.sends_gigawords else "not seen yet"),
        ],
        "is_mirror": nas.mirror_of is not None,
        "is_unsafe": not nas.require_message_authenticator,
        "realms": [{"realm": each.realm, "guest": each.guest.name} for each in realms],
        "actions_done": rows_of(SessionAction.objects.filter(nas=nas), ACTIONS_SHOWN),
    }  # fmt: skip


links.add("nas", "admin:aaa_nas_change")
navigation.add_list("Access", 40, "NAS", Nas, icon="router")
