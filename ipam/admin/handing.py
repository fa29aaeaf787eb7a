"""What staff say when they hand out an address or keep one back."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from ipam.admin.fields import AddressField, AddressOrPrefixField, ServiceField
from ipam.services import allocation, naming, ranges, release
from ispcore.admin.actions import ActionForm
from ispcore.admin.fields import CheckBox, TextInput

MOST_RESERVED = 256  # At once, one by one.


class ReserveForm(ActionForm):
    first = AddressOrPrefixField(label="From", help_text="An address, or a delegated prefix with its mask.")
    last = AddressField(
        required=False,
        label="To",
        help_text=f"Empty: only that one. At most {MOST_RESERVED} addresses at once.",
    )
    reserved_for = forms.CharField(
        max_length=120, widget=TextInput, label="Why", help_text="For example 'new router at the exchange'."
    )

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        first, last = given.get("first"), given.get("last")
        if first and last:
            if "/" in first or ranges.family_of(first) != ranges.family_of(last):
                raise forms.ValidationError("From and to are two addresses of one family.")
            count = ranges.number_of(last) - ranges.number_of(first) + 1
            if not 1 <= count <= MOST_RESERVED:
                raise forms.ValidationError(
                    f"From comes before to, with at most {MOST_RESERVED} addresses. "
                    "More of a pool is kept back by an exclusion on the pool's page."
                )
        return given


class AssignForm(ActionForm):
    """Who gets an address: a line, or what a few words name."""

    line = ServiceField(
        required=False,
        label="Service",
        help_text="Its number, such as 1042. A line has one address of each pool.",
    )
    assigned_to = forms.CharField(
        required=False, max_length=120, widget=TextInput, label="Or what else holds it",
        help_text="For a device without a service, such as 'core-1 loopback'.",
    )  # fmt: skip
    address = AddressOrPrefixField(
        required=False, label="Address", help_text="Empty: the one that has been free for the longest time."
    )
    take_reserved = forms.BooleanField(
        required=False,
        label="Also when it is reserved",
        widget=CheckBox,
        help_text="Only for an address that you name.",
    )
    hostname = forms.CharField(required=False, max_length=253, widget=TextInput, label="Host name")

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        if "line" in given and bool(given["line"]) == bool(given.get("assigned_to")):
            raise forms.ValidationError("Name either a service or what else holds it.")
        return given


def addresses_between(first: str, last: str | None) -> list[str]:
    if last is None:
        return [first]
    family = ranges.family_of(first)
    return [
        ranges.text_of(number, family)
        for number in range(ranges.number_of(first), ranges.number_of(last) + 1)
    ]


def assign_and_say(request: HttpRequest, data: dict[str, Any], **of: Any) -> HttpResponse | None:
    """Hand out an address as the form asks, say what became of it, and lead to it."""
    line = data["line"]
    try:
        found = allocation.allocate(
            at=timezone.now(),
            address=data["address"],
            subscription_id=line.pk if line else None,
            assigned_to=data["assigned_to"],
            hostname=data["hostname"],
            take_reserved=data["take_reserved"] and bool(data["address"]),
            user_id=request.user.pk,
            **of,
        )
    except naming.AddressReserved as refusal:
        messages.error(
            request,
            str(refusal).replace("`take_reserved` gives it", "Tick “Also when it is reserved” to give it"),
        )
        return None
    who = f"service {line.number}" if line else data["assigned_to"]
    if found.is_new:
        messages.success(request, f"{found.address.address} is assigned to {who}.")
    else:
        messages.info(request, f"{who[:1].upper()}{who[1:]} holds {found.address.address} already.")
    return redirect("admin:ipam_address_change", found.address.pk)


def reserve_and_say(request: HttpRequest, data: dict[str, Any], **of: Any) -> None:
    """Keep back all of a range, or nothing of it."""
    at, wanted = timezone.now(), addresses_between(data["first"], data["last"])
    for address in wanted:
        release.reserve(
            at=at, address=address, reserved_for=data["reserved_for"], user_id=request.user.pk, **of
        )
    what = wanted[0] if len(wanted) == 1 else f"{len(wanted)} addresses"
    messages.success(request, f"Reserved: {what}.")
