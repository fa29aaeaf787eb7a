from collections.abc import Callable
from datetime import timedelta
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils import formats, timezone

from ispcore.admin import links, navigation
from ispcore.admin.actions import Preview, action, run_on_each
from ispcore.admin.base import TenantForm, TenantModelAdmin
from ispcore.admin.formats import DASH, choice_column, moment, money, pill, time_column
from ispcore.admin.site import register
from subscribers import selectors
from subscribers.admin import tabs
from subscribers.admin.filters import HoldFilter, LineZoneFilter
from subscribers.admin.holding import ChangePlanForm, ResumeForm, SuspendForm, open_reasons
from subscribers.admin.mass import many
from subscribers.admin.saving import answers, saved
from subscribers.admin.segments import SegmentsMixin
from subscribers.admin.words import SERVICE_TONES, hold_pills, hold_row, service_tone
from subscribers.models import HoldReason, PlanChange, SegmentOf, ServiceStatus, Subscriber, Subscription
from subscribers.services import customers, lines, plan_changes

MOST_READ_BY_INDEX = 200
MOST_DIGITS = 9  # Longer than any number drawn, and the column could not hold it.


class NewLineForm(TenantForm):
    refused_fields: ClassVar = {"customer_id": "subscriber", "product_id": "plan"}

    class Meta:
        model = Subscription
        fields: tuple[str, ...] = ()
        help_texts = {
            "subscriber": "Find by name, number or phone.",
            "plan": "It must be sold today, where the premise lies.",
            "wifi_password": "Written to the customer's router, and never shown here again.",
        }


class LineForm(TenantForm):
    class Meta:
        model = Subscription
        fields: tuple[str, ...] = ()
        help_texts = {"wifi_password": "Written to the customer's router, and never shown here."}


def what_it_costs(
    admin: Any, request: HttpRequest, queryset: QuerySet, data: dict[str, Any] | None
) -> Preview | None:
    """Tell what a change of plan credits and charges until the period ends."""
    if data is None:
        return None
    cost = plan_changes.preview_plan_change(
        subscription_id=queryset.get().pk, to_plan_id=data["to_plan"].pk, on=data["effective_on"]
    )
    last = formats.date_format(cost.period_end - timedelta(days=1), "j M Y")
    days = f"{cost.days_left} of {cost.days_in_period} days are left"
    return Preview(
        facts=[
            ("Credit for the old plan", money(cost.credit, cost.currency)),
            ("Charge for the new plan", money(cost.charge, cost.currency)),
            ("Net, before tax", money(cost.net, cost.currency)),
            ("Billing period", f"{formats.date_format(cost.period_start, 'j M')} to {last}; {days}"),
        ],
        note="Nothing is credited or charged: the line was never in operation."
        if not (cost.credit or cost.charge)
        else "",
    )


@register(Subscription)
class SubscriptionAdmin(SegmentsMixin, TenantModelAdmin):
    """Customers' lines. Status and plan are changed by actions, never by a field."""

    form = LineForm
    list_display = (
        "number",
        "customer",
        "plan_name",
        "place",
        choice_column("status", "Status", SERVICE_TONES),
        "holds_open",
        time_column("provisioned_at", "Active since", empty="not yet"),
    )
    list_filter = ("status", HoldFilter, "plan", LineZoneFilter)
    linked_filters = ("premise__id__exact", "subscriber__id__exact")
    segments_of = SegmentOf.SERVICES
    list_select_related = ("subscriber", "plan", "premise")
    # What is searched are the number and the customer's words: see get_search_results.
    search_fields = ("number",)
    search_help_text = "The service's number, or the beginnings of words of the customer"
    sortable_by = ("number", "provisioned_at_with_age")
    autocomplete_fields = ("subscriber", "plan", "premise")
    object_actions = (
        "activate",
        "suspend",
        "resume",
        "change_plan",
        "cancel_plan_change",
        "cancel",
        "terminate",
    )
    actions = ("suspend_many", "resume_many", "activate_many", "change_plan_many")
    suspend_many = many(
        "suspend",
        description="Suspend…",
        confirm="The lines are barred for this reason until the hold is lifted or ends.",
        button="Suspend them",
        danger=True,
        form=SuspendForm,
        preview_on=("reason",),
        first=lambda rows: {"reason": HoldReason.STAFF.value},
    )
    resume_many = many(
        "resume",
        description="Lift a hold…",
        confirm="The hold is lifted. A line runs again unless another hold is open.",
        button="Lift the hold",
        form=ResumeForm,
        preview_on=("reason",),
        first=lambda rows: {"reason": next((value for value, _ in open_reasons(rows)), "")},
    )
    activate_many = many(
        "activate",
        description="Activate…",
        confirm="Lines that wait for their installation are taken into operation from now on, and billed.",
        button="Activate them",
    )
    change_plan_many = many(
        "change_plan",
        description="Change plan…",
        confirm="From the day you choose, the lines have the new plan's speed and price.",
        button="Change the plan",
        form=ChangePlanForm,
        preview_on=("to_plan", "effective_on"),
    )
    change_form_outer_before_template = "admin/subscribers/subscription/facts.html"
    history_ignore = ("changed_xid",)
    add_fieldsets = (
        (None, {"fields": ("subscriber", "premise", "plan")}),
        ("Installation", {"fields": ("isp_reference", "sales_agent", "wifi_name", "wifi_password")}),
    )
    fieldsets = (("Installation", {"fields": ("isp_reference", "wifi_name", "wifi_password")}),)
    empty_title = "No service yet"
    empty_help = (
        "A service is one line: a plan for a customer at a premise. Order one for a subscriber; it waits for its "
        "installation, and activating it takes it into operation."
    )
    docs_path = "/docs"

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        rows = super().get_queryset(request).select_related("subscriber", "plan", "premise__zone")
        waiting = PlanChange.objects.filter(subscription=OuterRef("pk"), applied_at=None, cancelled_at=None)
        rows = rows.annotate(has_plan_change=Exists(waiting))
        return selectors.with_open_holds(rows)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.page_view)
        page = path("<path:object_id>/page/<slug:key>/", view, name="subscribers_subscription_page")
        return [page, *super().get_urls()]

    def page_view(self, request: HttpRequest, object_id: str, key: str) -> HttpResponse:
        """Show what another app tells of one service; 404 for another tenant's as for one that is none."""
        page = tabs.page_of(request, key)
        line = self.get_object(request, object_id)
        if line is None:
            raise Http404
        return page.view(self, request, line)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fieldsets if obj else self.add_fieldsets

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:
            kwargs["form"] = NewLineForm
        return super().get_form(request, obj, change=change, **kwargs)

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        return lookup in self.linked_filters or super().lookup_allowed(lookup, value, request)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        found = customers.search_subscribers(Subscriber.objects.order_by(), term)
        # Of few the lines are read by index; the planner cannot tell, and would go through all lines for them.
        few = list(found.values_list("pk", flat=True)[: MOST_READ_BY_INDEX + 1])
        matches = Q(subscriber__in=few if len(few) <= MOST_READ_BY_INDEX else found.values("pk"))
        number = term.removeprefix("#")
        if number.isascii() and number.isdecimal() and len(number) <= MOST_DIGITS:
            matches |= Q(number=int(number))
        return queryset.filter(matches), False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # A line ends by its action; what it was stays.

    def save_model(self, request: HttpRequest, obj: Subscription, form: Any, change: bool) -> None:
        fields = answers(form, changed=change)
        if "wifi_password" in fields:
            fields["wifi_password"] = fields["wifi_password"].reveal()
        if change:
            saved(obj, lines.update_service(subscription_id=obj.pk, **fields))
        else:
            made = lines.create_service(**fields, on=timezone.localdate(), user_id=request.user.pk)
            saved(obj, made)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        if line := kwargs.get("obj"):
            context |= {
                "status": pill(line.get_status_display(), service_tone(line)),
                "facts": _facts(line),
                "holds": [hold_row(hold) for hold in selectors.holds_of([line])],
                "plan_changes": [_change(change) for change in selectors.plan_changes_of([line])],
                "panels": tabs.panels(request, line),
                "pages": tabs.pages_of(request, line),
            }
        return super().render_change_form(request, context, *args, **kwargs)

    @action(
        description="Activate",
        permissions=["change"],
        confirm="The line is taken into operation from now on, and billed.",
        icon="play_circle",
        available=lambda line: line.status == ServiceStatus.PENDING_INSTALLATION,
    )
    def activate(self, request: HttpRequest, queryset: QuerySet) -> None:
        at = timezone.now()
        self._each(
            request,
            queryset,
            lambda line: lines.activate_service(subscription_id=line.pk, at=at, user_id=request.user.pk),
            done="Activated.",
        )

    @action(
        description="Suspend",
        permissions=["change"],
        confirm="The line is barred for this reason until the hold is lifted or ends.",
        icon="pause_circle",
        danger=True,
        available=lambda line: line.status in (ServiceStatus.ACTIVE, ServiceStatus.SUSPENDED),
        form=SuspendForm,
    )
    def suspend(self, request: HttpRequest, queryset: QuerySet, data: dict[str, Any]) -> None:
        at = timezone.now()
        self._each(
            request,
            queryset,
            lambda line: lines.open_hold(subscription_id=line.pk, at=at, user_id=request.user.pk, **data),
            done="On hold: {count}.",
        )

    @action(
        description="Resume",
        permissions=["change"],
        confirm="The hold is lifted. The line runs again unless another hold is open.",
        icon="play_circle",
        available=lambda line: line.status == ServiceStatus.SUSPENDED,
        form=ResumeForm,
    )
    def resume(self, request: HttpRequest, queryset: QuerySet, data: dict[str, Any]) -> None:
        at = timezone.now()
        self._each(
            request,
            queryset,
            lambda line: lines.release_hold(subscription_id=line.pk, at=at, user_id=request.user.pk, **data),
            done="Hold lifted.",
        )

    @action(
        description="Change plan",
        permissions=["change"],
        confirm="From the day you choose, the line has the new plan's speed and price.",
        icon="swap_horiz",
        available=lambda line: line.status in selectors.CURRENT and not line.has_plan_change,
        form=ChangePlanForm,
        preview=what_it_costs,
        preview_on=("to_plan", "effective_on"),
    )
    def change_plan(self, request: HttpRequest, queryset: QuerySet, data: dict[str, Any]) -> None:
        at, on = timezone.now(), timezone.localdate()
        self._each(
            request,
            queryset,
            lambda line: plan_changes.change_plan(
                subscription_id=line.pk,
                to_plan_id=data["to_plan"].pk,
                effective_on=data["effective_on"],
                on=on,
                at=at,
                user_id=request.user.pk,
            ),
            done="Plan changed." if data["effective_on"] == on else "The change of plan is noted.",
        )

    @action(
        description="Cancel plan change",
        permissions=["change"],
        confirm="The change of plan that waits is called off; the line keeps the plan it has.",
        button="Call it off",
        icon="event_busy",
        danger=True,
        available=lambda line: line.has_plan_change,
    )
    def cancel_plan_change(self, request: HttpRequest, queryset: QuerySet) -> None:
        line, at = queryset.get(), timezone.now()
        if plan_changes.cancel_plan_change(subscription_id=line.pk, at=at):
            messages.success(request, "The change of plan is called off.")
        else:
            messages.info(request, "No change of plan was waiting.")

    @action(
        description="Cancel",
        permissions=["change"],
        confirm="The order is called off: this line will not be installed. This cannot be undone.",
        button="Call it off",
        icon="cancel",
        danger=True,
        available=lambda line: line.status == ServiceStatus.PENDING_INSTALLATION,
    )
    def cancel(self, request: HttpRequest, queryset: QuerySet) -> None:
        at = timezone.now()
        self._each(
            request,
            queryset,
            lambda line: lines.cancel_service(subscription_id=line.pk, at=at, user_id=request.user.pk),
            done="Cancelled.",
        )

    @action(
        description="Terminate",
        permissions=["change"],
        confirm="The line ends now, with its holds. This cannot be undone: coming back takes a new service.",
        button="Terminate for good",
        icon="stop_circle",
        danger=True,
        available=lambda line: line.status in (ServiceStatus.ACTIVE, ServiceStatus.SUSPENDED),
    )
    def terminate(self, request: HttpRequest, queryset: QuerySet) -> None:
        at = timezone.now()
        self._each(
            request,
            queryset,
            lambda line: lines.terminate_service(subscription_id=line.pk, at=at, user_id=request.user.pk),
            done="Terminated.",
        )

    def _each(
        self, request: HttpRequest, queryset: QuerySet, do: Callable[[Any], object], *, done: str
    ) -> None:
        run_on_each(self, request, queryset, do, done=done)

    @admin.display(description="Customer")
    def customer(self, obj: Subscription) -> str:
        return links.link(links.url_of("subscriber", obj.subscriber_id), obj.subscriber.full_name)

    @admin.display(description="Plan")
    def plan_name(self, obj: Subscription) -> str:
        return obj.plan.name

    @admin.display(description="Premise")
    def place(self, obj: Subscription) -> str:
        return str(obj.premise)

    @admin.display(description="Holds")
    def holds_open(self, obj: Any) -> str:
        return hold_pills(obj.open_holds)


def _facts(line: Any) -> list[tuple[str, Any]]:
    return [
        (
            "Customer",
            links.link(links.url_of("subscriber", line.subscriber_id), line.subscriber.full_name),
        ),
        ("Plan", links.link(links.url_of("plan", line.plan_id), line.plan.name)),
        ("Premise", links.link(links.url_of("premise", line.premise_id), str(line.premise))),
        ("Zone", line.premise.zone.name if line.premise.zone else DASH),
        ("Sold by", line.sales_agent or DASH),
        ("Ordered", moment(line.created_at)),
        ("First active", moment(line.provisioned_at, empty="not yet")),
        ("Terminated", moment(line.terminated_at, empty="no")),
    ]


def _change(change: Any) -> dict[str, Any]:
    if change.cancelled_at:
        state = pill("Called off", "plain")
    else:
        state = pill("Done", "good") if change.applied_at else pill("Waiting", "info")
    return {"what": str(change), "on": change.effective_on, "state": state}


links.add("subscription", "admin:subscribers_subscription_change")
links.add("service", "admin:subscribers_subscription_change")
navigation.add_list("Customers", 20, "Services", Subscription, icon="cable")
