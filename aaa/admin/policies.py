"""Speeds in no vendor's words, and what each type of NAS is told of them."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from aaa import rendering
from aaa.admin.words import speed
from aaa.models import Account, NasType, Policy
from aaa.services import policies
from aaa.services.profiles import names_of_users
from ispcore.admin import links, navigation
from ispcore.admin.base import TenantForm, TenantModelAdmin
from ispcore.admin.formats import DASH
from ispcore.admin.site import register
from subscribers.admin.saving import answers, saved

SPEEDS = ("down_kbps", "up_kbps")
BURSTS = (
    "burst_down_kbps", "burst_up_kbps", "threshold_down_kbps", "threshold_up_kbps", "burst_seconds", "priority",
    "guaranteed_down_kbps", "guaranteed_up_kbps",
)  # fmt: skip
NAMED = (
    "address_list", "filter_id", "cisco_policy_in", "cisco_policy_out", "juniper_qos_profile", "huawei_qos_profile",
    "nokia_sla_profile", "nokia_subscriber_profile",
)  # fmt: skip


class PolicyForm(TenantForm):
    class Meta:
        model = Policy
        fields: tuple[str, ...] = ()
        help_texts = {
            "down_kbps": "100000 is 100 Mbit/s. Empty: not limited.",
            "up_kbps": "20000 is 20 Mbit/s. Empty: not limited.",
            "burst_down_kbps": "For a moment, while the average is below the threshold.",
            "plan": "Made from this plan: its speeds are the plan's, and change with it.",
        }

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        for way, words in (("down", "download"), ("up", "upload")):
            rate = cleaned.get(f"{way}_kbps", getattr(self.instance, f"{way}_kbps", None))
            if f"{way}_kbps" not in self.errors and not cleaned.get("plan"):
                if cleaned.get(f"burst_{way}_kbps") and not rate:
                    self.add_error(f"burst_{way}_kbps", f"A burst needs a {words} that it exceeds.")
                guarantee = cleaned.get(f"guaranteed_{way}_kbps")
                if guarantee and (not rate or guarantee > rate):
                    self.add_error(f"guaranteed_{way}_kbps", f"It must not be more than the {words}.")
        return cleaned


@register(Policy)
class PolicyAdmin(TenantModelAdmin):
    """Written once, told to each NAS in its own words."""

    form = PolicyForm
    list_display = ("name", "speed_shown", "burst", "plan_name", "accounts")
    list_select_related = ("plan",)
    search_fields = ("name",)
    ordering = ("name",)
    sortable_by = ("name",)
    autocomplete_fields = ("plan",)
    change_form_outer_after_template = "admin/aaa/policy_preview.html"
    fieldsets = (
        (None, {"fields": ("name", "plan", *SPEEDS)}),
        (
            "Burst and priority",
            {"description": "MikroTik understands all of these, Huawei the bursts; others leave them out.",
             "fields": BURSTS},
        ),
        (
            "Names on your routers",
            {"description": "Where a profile is named, that vendor's routers are told the name instead of the speeds.",
             "fields": NAMED},
        ),
        ("Session", {"fields": ("session_timeout",)}),
    )  # fmt: skip
    empty_title = "No policy yet"
    empty_help = (
        "A policy is a speed: download, upload, bursts. It is written once, and each NAS is told in its vendor's own "
        "words. Plans make theirs by themselves when a service's account needs it; make others here, such as a "
        "walled garden or a slower speed for when data is used up."
    )
    docs_path = "/docs"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Policy]:
        users = Account.objects.filter(policy=OuterRef("pk")).order_by().values("policy")
        counted = Subquery(users.annotate(n=Count("pk")).values("n"), output_field=IntegerField())
        return super().get_queryset(request).annotate(account_count=Coalesce(counted, 0))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        if obj is None:
            return ()
        return ("plan", *policies.FOLLOWED) if obj.plan_id else ("plan",)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.preview_view)
        return [path("preview/", view, name="aaa_policy_preview"), *super().get_urls()]

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """Say what each type of NAS would be told of what stands in the form, stored or not."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        policy = Policy()
        form = self.get_form(request)(request.POST, instance=policy)
        form.is_valid()
        for name in (*SPEEDS, *BURSTS, *NAMED):
            if name in form.cleaned_data:
                setattr(policy, name, form.cleaned_data[name])
        known = Policy.objects.filter(pk=request.GET["policy"]).first() if request.GET.get("policy") else None
        if known is not None and known.plan_id:
            for name in policies.FOLLOWED:
                setattr(policy, name, getattr(known, name))
        return TemplateResponse(
            request, "admin/aaa/policy_preview.html", {"told": told(policy), "original": known}
        )

    def save_model(self, request: HttpRequest, obj: Policy, form: Any, change: bool) -> None:
        fields = answers(form, changed=change)
        if change:
            saved(obj, policies.change_policy(policy_id=obj.pk, **fields))
            return
        if fields.get("plan_id"):  # The speeds are the plan's.
            fields = {name: value for name, value in fields.items() if name not in policies.FOLLOWED}
        saved(obj, policies.create_policy(**fields))

    def delete_model(self, request: HttpRequest, obj: Policy) -> None:
        policies.remove_policy(policy_id=obj.pk)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        protected = [
            f"{policy} is still used by {users}." for policy in objs if (users := names_of_users(policy))
        ]
        return [str(policy) for policy in objs], {"policies": len(objs)}, set(), protected

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        context["told"] = told(kwargs.get("obj") or Policy())
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description="Speed")
    def speed_shown(self, obj: Policy) -> str:
        return speed(obj)

    @admin.display(description="Burst")
    def burst(self, obj: Policy) -> str:
        if not (obj.burst_down_kbps or obj.burst_up_kbps):
            return DASH
        return speed(Policy(down_kbps=obj.burst_down_kbps, up_kbps=obj.burst_up_kbps))

    @admin.display(description="Follows the plan")
    def plan_name(self, obj: Policy) -> str:
        return links.link(links.url_of("plan", obj.plan_id), obj.plan.name) if obj.plan else DASH

    @admin.display(description="Accounts")
    def accounts(self, obj: Any) -> str:
        if not obj.account_count:
            return DASH
        url = f"{reverse('admin:aaa_account_changelist')}?policy__id__exact={obj.pk}"
        return links.link(url, str(obj.account_count))


def told(policy: Policy) -> list[dict[str, Any]]:
    """Return what each type of NAS is told of a policy, with what it does not understand."""
    rate = policies.rate_of(policy)
    unlimited = policies.types_left_unlimited(policy)
    rows = []
    for nas_type in NasType:
        pairs = rendering.login_pairs(nas_type.value, rendering.render(nas_type.value, rate))
        missing = [Policy._meta.get_field(name).verbose_name for name in unlimited.get(nas_type.value, ())]  # type: ignore[union-attr]
        rows.append(
            {
                "name": str(nas_type.label),
                "pairs": pairs,
                "note": f"Does not limit the speed: name its {' and '.join(map(str, missing))} above."
                if missing
                else "",
                "change": "by a new log-in" if nas_type.value in rendering.NO_COA else "while online",
            }
        )
    return rows


links.add("policy", "admin:aaa_policy_change")
navigation.add_list("Access", 30, "Policies", Policy, icon="speed")
