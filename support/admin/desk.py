"""The catalogue of the helpdesk and its rules: what tickets are about, who handles them, by when."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest

from ispcore.admin import navigation
from ispcore.admin.base import TenantForm, TenantModelAdmin
from ispcore.admin.fields import CheckBoxes, TextInput
from ispcore.admin.formats import choice_column, pill
from ispcore.admin.site import register
from ispcore.tenants.context import current_tenant_id
from ispcore.tenants.models import Membership
from ispcore.tenants.roles import STAFF_ROLES
from subscribers.admin.saving import answers, saved
from support.models import (
    UNRESOLVED,
    CannedAnswer,
    Priority,
    Subject,
    SupportSettings,
    Team,
    Ticket,
    ZoneLimit,
)
from support.services import desk, settings

PRIORITY_TONES = {
    Priority.LOW: "plain",
    Priority.NORMAL: "info",
    Priority.HIGH: "warning",
    Priority.URGENT: "danger",
}
NAMED = 5  # Of a team's members, in its list.
WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class DeskAdmin(TenantModelAdmin):
    """Pages for who runs the desk; all who work at it may look."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("support.delete")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("support.delete")

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        desk.remove(obj)


class SubjectForm(TenantForm):
    refused_fields: ClassVar = {"team_id": "team"}

    class Meta:
        model = Subject
        fields: tuple[str, ...] = ()


@register(Subject)
class SubjectAdmin(DeskAdmin):
    """What tickets are about."""

    form = SubjectForm
    list_display = (
        "name",
        choice_column("priority", "Priority", PRIORITY_TONES),
        "team",
        "answered_within",
        "due_in",
        "is_active",
    )
    list_filter = ("priority", "team", "is_active")
    list_select_related = ("team",)
    search_fields = ("name",)
    ordering = ("position", "name")
    sortable_by = ()
    fieldsets = (
        (None, {"fields": ("name", "priority", "team", "position", "is_active")}),
        ("By when", {"fields": ("response_hours", "resolution_days")}),
    )
    empty_title = "No subject is in the catalogue yet"
    empty_help = (
        "A subject says what a ticket is about, how urgent that is, which team gets it and by when it is due. Add the "
        "few that most calls are about."
    )

    def save_model(self, request: HttpRequest, obj: Subject, form: Any, change: bool) -> None:
        given = answers(form)
        saved(
            obj, desk.change_subject(subject_id=obj.pk, **given) if change else desk.create_subject(**given)
        )

    @admin.display(description="First answer within")
    def answered_within(self, obj: Subject) -> str:
        return f"{obj.response_hours} opening hour{'s' if obj.response_hours > 1 else ''}"

    @admin.display(description="Due in")
    def due_in(self, obj: Subject) -> str:
        days = obj.resolution_days
        return f"{days} business day{'s' if days > 1 else ''}" if days else "as the settings say"


class TeamForm(TenantForm):
    members = forms.MultipleChoiceField(
        required=False, widget=CheckBoxes, help_text="Members of staff who share the team's queue."
    )
    refused_fields: ClassVar = {"member_ids": "members"}

    class Meta:
        model = Team
        fields: tuple[str, ...] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "members" in self.fields:
            self.fields["members"].choices = staff_choices()  # type: ignore[attr-defined]
            if not self.instance._state.adding:
                self.initial["members"] = [str(each.user_id) for each in self.instance.members.all()]


@register(Team)
class TeamAdmin(DeskAdmin):
    """People who share a queue."""

    form = TeamForm
    list_display = ("name", "people", "is_active")
    search_fields = ("name",)
    ordering = ("name",)
    sortable_by = ()
    fieldsets = ((None, {"fields": ("name", "members", "is_active")}),)
    empty_title = "There is no team yet"
    empty_help = (
        "A team shares a queue of tickets: the helpdesk, field work, billing. Subjects send theirs to it."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Team]:
        return super().get_queryset(request).prefetch_related("members__user")

    def save_model(self, request: HttpRequest, obj: Team, form: Any, change: bool) -> None:
        given = answers(form, without=("members",)) | {"member_ids": form.cleaned_data["members"]}
        saved(obj, desk.change_team(team_id=obj.pk, **given) if change else desk.create_team(**given))

    @admin.display(description="Members")
    def people(self, obj: Team) -> str:
        names = sorted(str(each.user) for each in obj.members.all())
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        return ", ".join(names[:NAMED]) + more or "nobody yet"


@register(CannedAnswer)
class CannedAnswerAdmin(TenantModelAdmin):
    """Texts kept ready."""

    form = TenantForm
    list_display = ("name", "begins", "is_active")
    search_fields = ("name", "body")
    ordering = ("name",)
    sortable_by = ()
    fieldsets = ((None, {"fields": ("name", "body", "is_active")}),)
    empty_title = "No answer is kept ready yet"
    empty_help = (
        "Keep the texts you write again and again. The placeholders {customer}, {service}, {ticket} and {due} become "
        "the ticket's own."
    )

    def save_model(self, request: HttpRequest, obj: CannedAnswer, form: Any, change: bool) -> None:
        given = answers(form)
        saved(obj, desk.change_answer(answer_id=obj.pk, **given) if change else desk.create_answer(**given))

    def delete_model(self, request: HttpRequest, obj: CannedAnswer) -> None:
        desk.remove(obj)

    @admin.display(description="Text")
    def begins(self, obj: CannedAnswer) -> str:
        return obj.body if len(obj.body) <= 90 else f"{obj.body[:90]}…"


@register(ZoneLimit)
class ZoneLimitAdmin(DeskAdmin):
    """Zones that take more or fewer open tickets than the others."""

    form = TenantForm
    list_display = ("zone", "takes", "open_now")
    list_display_links = ("zone",)
    list_select_related = ("zone",)
    autocomplete_fields = ("zone",)
    sortable_by = ()
    fieldsets = ((None, {"fields": ("zone", "limit")}),)
    empty_title = "All zones have the same limit"
    empty_help = (
        "The support settings say how many open tickets a zone takes. Give one zone a limit of its own here."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[ZoneLimit]:
        unresolved = Ticket.objects.filter(zone=OuterRef("zone"), status__in=UNRESOLVED).order_by()
        counted = unresolved.values("zone").annotate(count=Count("pk")).values("count")
        rows = super().get_queryset(request).select_related("zone")
        return rows.annotate(unresolved=Coalesce(Subquery(counted), 0))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("zone",) if obj else ()

    def save_model(self, request: HttpRequest, obj: ZoneLimit, form: Any, change: bool) -> None:
        saved(obj, desk.set_zone_limit(zone_id=obj.zone_id, limit=form.cleaned_data["limit"]))

    @admin.display(description="Takes at most")
    def takes(self, obj: ZoneLimit) -> str:
        return f"{obj.limit} open ticket{'' if obj.limit == 1 else 's'}" if obj.limit else "none"

    @admin.display(description="Open now")
    def open_now(self, obj: Any) -> str:
        return (
            pill(f"{obj.unresolved}, full", "warning") if obj.unresolved >= obj.limit else str(obj.unresolved)
        )


class HoursField(forms.CharField):
    def __init__(self) -> None:
        super().__init__(required=False, max_length=11, widget=TextInput)


class SettingsForm(TenantForm):
    monday = HoursField()
    tuesday = HoursField()
    wednesday = HoursField()
    thursday = HoursField()
    friday = HoursField()
    saturday = HoursField()
    sunday = HoursField()
    refused_fields: ClassVar = {"opening_hours": "monday", "mail_subject_id": "mail_subject"}

    class Meta:
        model = SupportSettings
        fields: tuple[str, ...] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for day, hours in zip(WEEK, self.instance.opening_hours, strict=True):
            self.initial[day] = hours


@register(SupportSettings)
class SupportSettingsAdmin(DeskAdmin):
    """One record: made with the defaults, and changed."""

    form = SettingsForm
    list_display = ("title", "holidays", "due_days", "zone_limit", "escalate_after_hours", "auto_close_days")
    list_display_links = ("title",)
    sortable_by = ()
    fieldsets = (
        (
            "Opening hours",
            {
                "fields": WEEK,
                "description": "Due times count these hours, at the provider's clock. Write them as 09:00-18:00, or "
                "nothing for a day off.",
            },
        ),
        ("Holidays", {"fields": ("country", "subdivision")}),
        (
            "Tickets",
            {"fields": ("due_days", "escalate_after_hours", "auto_close_days", "zone_limit", "outage_end")},
        ),
        ("E-mail", {"fields": ("mail_subject",)}),
    )
    empty_title = "The helpdesk works by the defaults"
    empty_help = (
        "Monday to Friday from nine to six, tickets due in three business days, three open tickets per zone. Say when "
        "yours is open, and which holidays it keeps."
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and not SupportSettings.objects.exists()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: SupportSettings, form: Any, change: bool) -> None:
        hours = [form.cleaned_data[day].strip() for day in WEEK]
        given = answers(form, without=WEEK) | {"opening_hours": hours}
        saved(obj, settings.change_settings(**given))

    @admin.display(description="Open")
    def title(self, obj: SupportSettings) -> str:
        return week_in_words(obj.opening_hours)

    @admin.display(description="Holidays")
    def holidays(self, obj: SupportSettings) -> str:
        return " ".join(part for part in (obj.country, obj.subdivision) if part) or "none"


def week_in_words(opening_hours: Sequence[str]) -> str:
    """Say when the helpdesk is open, days in a row with the same hours together."""
    days = [day[:3].title() for day in WEEK]
    found = []
    for hours, row in groupby(zip(days, opening_hours, strict=True), key=lambda each: each[1]):
        named = [day for day, _ in row]
        span = named[0] if len(named) == 1 else f"{named[0]}–{named[-1]}"
        if hours:
            found.append(f"{span} {hours.replace('-', '–')}")
    return ", ".join(found)


def staff_choices() -> list[tuple[str, str]]:
    """List who works for the bound tenant, by name."""
    members = Membership.objects.filter(
        Q(role__in=STAFF_ROLES), tenant_id=current_tenant_id(), user__is_active=True
    ).select_related("user")
    return sorted(
        ((str(each.user_id), str(each.user)) for each in members), key=lambda choice: choice[1].lower()
    )


for order, title, model, icon, under in (
    (30, "Subjects", "subject", "category", ""),
    (40, "Canned answers", "cannedanswer", "quickreply", ""),
    (50, "Teams", "team", "groups", "admin:support_subject_changelist"),
    (60, "Limits of zones", "zonelimit", "block", "admin:support_subject_changelist"),
    (90, "Support settings", "supportsettings", "settings", ""),
):
    navigation.add(
        "Support",
        order,
        title,
        url_name=f"admin:support_{model}_changelist",
        icon=icon,
        allowed=f"support.view_{model}",
        under=under,
    )
