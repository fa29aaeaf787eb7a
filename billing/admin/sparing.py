"""Promises and exemptions: who is spared."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from billing.admin.terms import amount_said
from billing.admin.words import amount_column, customer
from billing.models import Exemption, Promise, PromiseStatus
from billing.services.dunning import exemptions, promises
from ispcore.admin.actions import action, run_on_each
from ispcore.admin.base import KeptMixin, TenantForm, TenantModelAdmin
from ispcore.admin.fields import DateInput
from ispcore.admin.formats import choice_column, day_column, pill, time_column
from ispcore.admin.site import register
from subscribers.admin.saving import answers, saved
from subscribers.services.periods import local_date

PROMISE_TONES = {
    PromiseStatus.OPEN: "info",
    PromiseStatus.KEPT: "good",
    PromiseStatus.BROKEN: "danger",
    PromiseStatus.WITHDRAWN: "plain",
}


class SparingAdmin(KeptMixin, TenantModelAdmin):
    """Who is spared, and until when: noted once, and ended by a button."""

    list_select_related = ("subscriber",)
    search_fields = ("subscriber__number",)
    search_help_text = "A customer's number"
    autocomplete_fields = ("subscriber",)
    ordering = ("-id",)
    sortable_by = ()
    docs_path = "/docs"


class PromiseForm(TenantForm):
    refused_fields: ClassVar = {"subscriber_id": "subscriber"}

    class Meta:
        model = Promise
        fields: tuple[str, ...] = ()
        widgets: ClassVar = {"until": DateInput}
        labels: ClassVar = {"subscriber": "Customer"}
        help_texts: ClassVar = {
            "subscriber": "Who promised: type a name, number or phone.",
            "amount": "What the customer said they would pay.",
            "currency": "ISO 4217, for example EUR.",
            "until": "The last day to pay, within three months. Until then nobody reminds or cuts them.",
            "note": "Who said so, and how.",
        }


@register(Promise)
class PromiseAdmin(SparingAdmin):
    """Promises to pay."""

    form = PromiseForm
    list_display = (
        customer,
        amount_column("amount", "Amount"),
        day_column("until", "Until"),
        choice_column("status", "State", PROMISE_TONES),
        "note",
        time_column("made_at", "Made"),
    )
    list_filter = ("status",)
    object_actions = ("withdraw",)
    empty_title = "Nobody has promised anything yet"
    empty_help = (
        "When a customer says they will pay by a day, write it down here or from tonight's list: until then nobody "
        "reminds or cuts them. The day after, the promise is kept or broken by what was paid."
    )

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ((None, {"fields": ("subscriber", "amount", "currency", "until", "note")}),)
        shown = (
            customer,
            amount_said("amount", "Amount"),
            day_column("until", "Until"),
            choice_column("status", "State", PROMISE_TONES),
            "note",
            time_column("made_at", "Made"),
            "created_by",
            time_column("settled_at", "Settled", empty="not yet"),
        )
        return ((None, {"fields": shown}),)

    def has_withdraw_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("billing.change_promise")

    def save_model(self, request: HttpRequest, obj: Promise, form: Any, change: bool) -> None:
        at = timezone.now()
        made = promises.make_promise(**answers(form), on=local_date(at), at=at, user_id=request.user.pk)
        saved(obj, made)

    @action(
        description="Withdraw",
        permissions=["withdraw"],
        confirm="The promise no longer counts: the coming night treats the customer as all others.",
        icon="undo",
        available=lambda promise: promise.status == PromiseStatus.OPEN,
    )
    def withdraw(self, request: HttpRequest, queryset: QuerySet[Promise]) -> None:
        run_on_each(
            self,
            request,
            queryset,
            lambda promise: promises.withdraw_promise(promise_id=promise.pk, at=timezone.now()),
            done="Withdrawn: {count}.",
        )


class ExemptionForm(TenantForm):
    refused_fields: ClassVar = {"subscriber_id": "subscriber"}

    class Meta:
        model = Exemption
        fields: tuple[str, ...] = ()
        widgets: ClassVar = {"until": DateInput}
        labels: ClassVar = {"subscriber": "Customer"}
        help_texts: ClassVar = {
            "subscriber": "Who is spared: type a name, number or phone.",
            "reason": "As colleagues should read it: a hospital, a dispute, a decision.",
        }


@register(Exemption)
class ExemptionAdmin(SparingAdmin):
    """Customers who are neither reminded nor cut."""

    form = ExemptionForm
    list_display = (
        customer,
        "reason",
        day_column("until", "Until", empty="ended by hand"),
        "state",
        time_column("created_at", "Since"),
    )
    object_actions = ("end",)
    empty_title = "Nobody is exempt"
    empty_help = (
        "An exempt customer is neither reminded nor cut, nor charged a late fee, until a day or until somebody ends "
        "it: a hospital, a dispute, a decision of yours."
    )

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ((None, {"fields": ("subscriber", "reason", "until")}),)
        shown = (
            customer,
            "state",
            "reason",
            day_column("until", "Until", empty="ended by hand"),
            time_column("created_at", "Since"),
            "created_by",
            time_column("ended_at", "Ended", empty="not yet"),
        )
        return ((None, {"fields": shown}),)

    def has_end_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("billing.change_exemption")

    def save_model(self, request: HttpRequest, obj: Exemption, form: Any, change: bool) -> None:
        at = timezone.now()
        made = exemptions.exempt(**answers(form), on=local_date(at), at=at, user_id=request.user.pk)
        saved(obj, made)

    @action(
        description="End",
        permissions=["end"],
        confirm="The customer is reminded and cut as all others again.",
        icon="undo",
        available=lambda exemption: exemption.ended_at is None,
    )
    def end(self, request: HttpRequest, queryset: QuerySet[Exemption]) -> None:
        run_on_each(
            self,
            request,
            queryset,
            lambda exemption: exemptions.end_exemption(exemption_id=exemption.pk, at=timezone.now()),
            done="Ended: {count}.",
        )

    @admin.display(description="State")
    def state(self, obj: Exemption) -> str:
        return pill("Ended", "plain") if obj.ended_at else pill("Running", "info")
