from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html

from ispcore.admin import links, navigation
from ispcore.admin.actions import action, run_on_each
from ispcore.admin.base import TenantForm, TenantModelAdmin
from ispcore.admin.fields import CheckBox, TextInput
from ispcore.admin.formats import DASH, choice_column, mapping, moment, pill, pills, time_column
from ispcore.admin.site import register
from ispcore.api.request import client_ip, request_id_of
from subscribers import selectors
from subscribers.admin import own_fields, settings, tabs
from subscribers.admin.filters import SubscriberZoneFilter, TagFilter
from subscribers.admin.holding import ActivateForm, SuspendForm, TagsForm
from subscribers.admin.mass import many
from subscribers.admin.saving import answers, saved
from subscribers.admin.segments import SegmentsMixin
from subscribers.admin.words import SUBSCRIBER_TONES, hold_pills, service_tone
from subscribers.models import (
    SegmentOf,
    ServiceStatus,
    Subscriber,
    SubscriberStatus,
)
from subscribers.services import custom_fields, customers, personal_data

UNTOLD = ("number", "email_lower", "phone_e164", "document_normal", "changed_xid", "tenant")


class SubscriberForm(TenantForm):
    refused_fields: ClassVar = {"document": "document_number"}

    accepts_terms = forms.BooleanField(
        required=False,
        label="Terms of service accepted",
        widget=CheckBox,
        help_text="Ticked and saved, it is recorded with the time.",
    )
    accepts_marketing = forms.BooleanField(
        required=False,
        label="Agrees to be sent offers",
        widget=CheckBox,
        help_text="Ticked and saved, it is recorded with the time.",
    )

    class Meta:
        model = Subscriber
        fields: tuple[str, ...] = ()
        labels = {
            "external_id": "External ID",
            "email": "E-mail",
            "address_line1": "Street and number",
            "address_line2": "Floor, flat or building",
        }
        widgets = {"tags": TextInput()}
        help_texts = {
            "phone": "Begin with + and the country code; without one, the provider's own country is meant.",
            "tags": "Words with commas between: vip, business.",
            "country": "Two letters of ISO 3166, for example PT.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        own_fields.fill(self)

    def clean_country(self) -> str:
        return str(self.cleaned_data["country"]).upper()

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("document_type") and not cleaned.get("document_number"):
            self.add_error("document_number", "Give the document's number, or no document.")
        return cleaned


@register(Subscriber)
class SubscriberAdmin(SegmentsMixin, TenantModelAdmin):
    """Customers. Their status is changed by actions, never by a field."""

    form = SubscriberForm
    list_display = (
        "number_shown",
        "full_name",
        choice_column("status", "Status", SUBSCRIBER_TONES),
        "phone_link",
        "email_or_dash",
        "services",
        "tags_shown",
        time_column("created_at", "Created"),
    )
    list_display_links = ("number_shown", "full_name")
    list_filter = ("status", TagFilter, SubscriberZoneFilter)
    segments_of = SegmentOf.SUBSCRIBERS
    # What is searched are the words kept of each record: see get_search_results.
    search_fields = ("full_name",)
    search_help_text = "The beginnings of words: name, number, phone, e-mail, document or address"
    sortable_by = ("number_shown", "created_at_with_age")
    object_actions = ("activate", "suspend", "deactivate", "export_person")
    actions = ("suspend_many", "activate_many", "add_tags", "remove_tags")
    suspend_many = many(
        "suspend",
        description="Suspend…",
        confirm="Active customers are suspended, and every running service of theirs is barred for this reason.",
        button="Suspend them",
        danger=True,
        form=SuspendForm,
    )
    activate_many = many(
        "activate",
        description="Activate…",
        confirm="These customers become active, and the holds of their services are lifted.",
        button="Activate them",
    )
    add_tags = many(
        "add_tags",
        description="Add tags…",
        confirm="The tags are added to those the customers have.",
        button="Add the tags",
        form=TagsForm,
        preview_on=("tags",),
    )
    remove_tags = many(
        "remove_tags",
        description="Remove tags…",
        confirm="The tags are taken from the customers; their other tags stay.",
        button="Remove the tags",
        form=TagsForm,
        preview_on=("tags",),
    )
    change_form_outer_before_template = "admin/subscribers/subscriber/page.html"
    history_ignore = UNTOLD
    readonly_fields = ("more", "own", "terms", "marketing")
    fieldsets = (
        ("Who", {"fields": ("full_name", "phone", "email", "tags", "billing_profile", "external_id")}),
        (
            "Address",
            {"fields": ("address_line1", "address_line2", "city", "state", "postal_code", "country")},
        ),
        ("Document", {"fields": ("document_type", "document_number")}),
        ("Consents", {"fields": tuple(own_fields.CONSENTS)}),
    )
    empty_title = "No subscriber yet"
    empty_help = (
        "A subscriber is a person or a company that buys from you, or may do so. Add one with a name and a "
        "phone number; a plan at a premise then makes a service of it."
    )
    docs_path = "/docs"

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return selectors.with_service_counts(super().get_queryset(request), "subscriber")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(lambda request: settings.settings_view(self, request))
        return [path("settings/", view, name="subscribers_subscriber_settings"), *super().get_urls()]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        own = own_fields.definitions(request)
        sections = list(self.fieldsets)
        if obj and not self.has_change_permission(request, obj):
            sections[-1] = ("Consents", {"fields": ("terms", "marketing")})
            sections += [("Custom fields", {"fields": ("own",)})] if own else []
        elif own:
            sections.insert(1, ("Custom fields", {"fields": own_fields.names(own)}))
        return [*sections, ("From integrations", {"fields": ("more",)})] if obj else sections

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        kwargs["form"] = own_fields.form_with(SubscriberForm, own_fields.definitions(request))
        return super().get_form(request, obj, change=change, **kwargs)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        if not search_term.strip():
            return queryset, False
        return customers.search_subscribers(queryset, search_term), False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # A customer who leaves becomes inactive; what was billed stays.

    def save_model(self, request: HttpRequest, obj: Subscriber, form: Any, change: bool) -> None:
        fields = answers(form, changed=change, without=own_fields.without(form))
        fields |= own_fields.answers_of(form, at=timezone.now(), changed=change)
        if change:
            saved(obj, customers.update_subscriber(subscriber_id=obj.pk, **fields))
        else:
            saved(obj, customers.create_subscriber(**fields))

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        if subscriber := kwargs.get("obj"):
            lines = selectors.lines_of(subscriber)
            request.customer_lines = lines  # type: ignore[attr-defined]
            lights = tabs.lights(request, lines)
            context |= {
                "status": pill(
                    subscriber.get_status_display(), SUBSCRIBER_TONES[SubscriberStatus(subscriber.status)]
                ),
                "tags": pills(subscriber.tags) if subscriber.tags else "",
                "facts": [*tabs.facts(request, subscriber), *_facts(subscriber)],
                "strip": [
                    _strip(line) | {"lights": lights[line.pk], "pages": tabs.pages_of(request, line)}
                    for line in lines
                ],
                "may_add_line": request.user.has_perm("subscribers.add_subscription"),
                "add_line_url": f"{reverse('admin:subscribers_subscription_add')}?subscriber={subscriber.pk}",
                **tabs.context(request, subscriber),
            }
        return super().render_change_form(request, context, *args, **kwargs)

    @action(
        description="Activate",
        permissions=["change"],
        confirm="The customer becomes active, and the holds on their services are lifted.",
        icon="check_circle",
        available=lambda who: (
            who.status in (SubscriberStatus.PROSPECT, SubscriberStatus.SUSPENDED, SubscriberStatus.INACTIVE)
        ),
        form=ActivateForm,
    )
    def activate(self, request: HttpRequest, queryset: QuerySet, data: dict[str, Any]) -> None:
        at, reasons = timezone.now(), data.get("reasons")
        run_on_each(
            self,
            request,
            queryset,
            lambda who: customers.activate_subscriber(
                subscriber_id=who.pk, at=at, reasons=reasons, user_id=request.user.pk
            ),
            done="Activated.",
        )

    @action(
        description="Suspend",
        permissions=["change"],
        confirm="Every active service of this customer is barred until the hold is lifted or ends.",
        icon="pause_circle",
        danger=True,
        available=lambda who: who.status == SubscriberStatus.ACTIVE,
        form=SuspendForm,
    )
    def suspend(self, request: HttpRequest, queryset: QuerySet, data: dict[str, Any]) -> None:
        at = timezone.now()
        run_on_each(
            self,
            request,
            queryset,
            lambda who: customers.suspend_subscriber(
                subscriber_id=who.pk, at=at, user_id=request.user.pk, **data
            ),
            done="Suspended.",
        )

    @action(
        description="Deactivate",
        permissions=["change"],
        confirm="All services of this customer are terminated for good; the record and its history are kept.",
        icon="person_off",
        danger=True,
        available=lambda who: who.status != SubscriberStatus.INACTIVE,
    )
    def deactivate(self, request: HttpRequest, queryset: QuerySet) -> None:
        at = timezone.now()
        run_on_each(
            self,
            request,
            queryset,
            lambda who: customers.deactivate_subscriber(subscriber_id=who.pk, at=at, user_id=request.user.pk),
            done="Deactivated.",
        )

    @action(
        description="Export all data",
        permissions=["reveal"],
        confirm="All that is stored on this customer is written into a ZIP file, as for their own request to see it. "
        "That you asked for it is recorded; only administrators can fetch the file.",
        button="Export",
        icon="folder_zip",
    )
    def export_person(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse:
        job = personal_data.request_personal_data(
            subscriber_id=queryset.get().pk,
            user_id=request.user.pk,
            ip=client_ip(request),
            request_id=request_id_of(request),
        )
        return redirect("admin:jobs_job_change", job.pk)

    def has_reveal_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("subscribers.reveal")

    @admin.display(description="Number", ordering="number")
    def number_shown(self, obj: Subscriber) -> str:
        return format_html('<span class="isp-nowrap">{}</span>', obj.number)

    @admin.display(description="Phone")
    def phone_link(self, obj: Subscriber) -> str:
        return _phone(obj)

    @admin.display(description="E-mail")
    def email_or_dash(self, obj: Subscriber) -> str:
        return obj.email or DASH

    @admin.display(description="Services")
    def services(self, obj: Any) -> int:
        count: int = obj.service_count
        return count

    @admin.display(description="Tags")
    def tags_shown(self, obj: Subscriber) -> str:
        return pills(obj.tags) if obj.tags else DASH

    @admin.display(description="Custom fields")
    def own(self, obj: Subscriber) -> str:
        return own_fields.shown(obj, custom_fields.definitions_in_order())

    @admin.display(description="Terms of service accepted")
    def terms(self, obj: Subscriber) -> str:
        return moment(obj.terms_accepted_at, empty="no")

    @admin.display(description="Agrees to be sent offers")
    def marketing(self, obj: Subscriber) -> str:
        return moment(obj.marketing_consent_at, empty="no")

    @admin.display(description="Further data")
    def more(self, obj: Subscriber) -> str:
        return mapping(obj.metadata)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if isinstance(field, forms.ModelChoiceField):
            field.empty_label = "None"
        return field


def _phone(subscriber: Subscriber) -> str:
    if not subscriber.phone:
        return DASH
    if not subscriber.phone_e164:
        return subscriber.phone
    return format_html(
        '<a class="isp-link isp-nowrap" href="tel:{}">{}</a>', subscriber.phone_e164, subscriber.phone
    )


def _facts(subscriber: Subscriber) -> list[tuple[str, Any]]:
    profile = subscriber.billing_profile
    address = (
        subscriber.address_line1, subscriber.address_line2, subscriber.postal_code, subscriber.city,
        subscriber.country,
    )  # fmt: skip
    return [
        ("Phone", _phone(subscriber)),
        (
            "E-mail",
            format_html('<a class="isp-link" href="mailto:{0}">{0}</a>', subscriber.email)
            if subscriber.email
            else DASH,
        ),
        ("Address", ", ".join(part for part in address if part) or DASH),
        (
            "Billing profile",
            links.link(links.url_of("billing_profile", profile.pk), profile.name) if profile else DASH,
        ),
        ("Customer since", moment(subscriber.created_at)),
        *(
            [("Suspended until", moment(subscriber.suspended_until, empty="somebody activates the customer"))]
            if subscriber.status == SubscriberStatus.SUSPENDED
            else []
        ),
    ]


def _strip(line: Any) -> dict[str, Any]:
    helps = {
        ServiceStatus.PENDING_INSTALLATION: ("activate", "Activate"),
        ServiceStatus.SUSPENDED: ("resume", "Resume"),
    }.get(ServiceStatus(line.status))
    return {
        "url": reverse("admin:subscribers_subscription_change", args=[line.pk]),
        "name": str(line),
        "tone": service_tone(line),
        "status": pill(line.get_status_display(), service_tone(line)),
        "plan": line.plan.name,
        "premise": str(line.premise),
        "holds": hold_pills(line.open_holds) if line.open_holds else "",
        "help": helps[1] if helps else "",
        "help_url": reverse("admin:subscribers_subscription_action", args=[line.pk, helps[0]])
        if helps
        else "",
    }


links.add("subscriber", "admin:subscribers_subscriber_change")
navigation.add_list("Customers", 10, "Subscribers", Subscriber, icon="group")
