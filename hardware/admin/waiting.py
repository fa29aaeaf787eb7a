"""ONUs that wait for authorisation, and the way from one of them to a service that runs."""

import hashlib
import json
import re
import unicodedata
from typing import Any, ClassVar
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from hardware.admin.filters import OltFilter
from hardware.admin.presets import LABELS
from hardware.admin.provisioning import steps_of
from hardware.drivers import Driver
from hardware.models import Onu, OnuPreset, ProvisioningAction, ProvisioningJob, WaitingOnu
from hardware.services import planning, preview, provisioning
from ispcore.admin import links, navigation
from ispcore.admin.base import DrawnPage, ReadOnlyAdmin
from ispcore.admin.fields import Select, TextInput
from ispcore.admin.formats import DASH, moment, time_column
from ispcore.admin.site import register
from ispcore.errors import DomainError
from subscribers.models import ServiceStatus, Subscriber, Subscription
from subscribers.services import customers

SERVICES_SHOWN, SUGGESTED = 20, 8
MOST_DIGITS = 9  # Longer than any service number, and the column could not hold it.
NO_SERVICE = "none"
DESCRIPTION_LENGTH = 40
STEPS = ("Service", "Preset", "Plan")


class AuthoriseForm(forms.Form):
    """How the ONU is served: by a preset, and field by field where this one differs."""

    preset = forms.ModelChoiceField(
        OnuPreset.objects.none(), required=False, widget=Select, empty_label="No preset: the fields below"
    )
    description = forms.CharField(
        required=False,
        max_length=64,
        widget=TextInput,
        help_text="Kept on the OLT. Letters, digits, single spaces and ._-/:@+=,#%() only.",
    )
    numbers: ClassVar[tuple[str, ...]] = ("vlan", "user_vlan", "gem_port", "native_vlan_port")

    def __init__(self, *args: Any, waiting: WaitingOnu, driver: Driver, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        presets = OnuPreset.objects.filter(vendor=waiting.olt.vendor).order_by("name")
        self.fields["preset"].queryset = presets  # type: ignore[attr-defined]
        if len(presets) == 1:
            self.fields["preset"].initial = presets[0]
        for name in sorted(driver.preset_fields, key=list(LABELS).index):
            kind: type[forms.Field] = forms.IntegerField if name in self.numbers else forms.CharField
            self.fields[name] = kind(
                required=False,
                label=LABELS[name][:1].upper() + LABELS[name][1:],
                widget=TextInput,
                help_text="Empty: as the preset says.",
            )

    def asked(self) -> dict[str, Any]:
        """Return the words of `request_authorize` that were given here."""
        cleaned = self.cleaned_data
        own = {name: value for name, value in cleaned.items() if name in LABELS and value not in ("", None)}
        return {"preset": cleaned["preset"], "description": cleaned["description"], "fields": own}


@register(WaitingOnu)
class WaitingOnuAdmin(DrawnPage, ReadOnlyAdmin):
    """What the OLTs see and nobody has authorised, as it was last read."""

    list_display = ("serial", "olt_name", "port", "equipment", "software_or_dash",
                    time_column("first_seen_at", "Waits since"), time_column("last_seen_at", "Last seen"))  # fmt: skip
    list_filter = (("olt", OltFilter),)
    list_select_related = ("olt",)
    search_fields = ("^serial", "equipment_id")
    search_help_text = "The serial number's beginning, or part of the model"
    ordering = ("-first_seen_at",)
    sortable_by = ("serial", "first_seen_at_with_age", "last_seen_at_with_age")
    change_form_outer_before_template = "admin/hardware/waitingonu/page.html"
    empty_title = "No ONU waits for authorisation"
    empty_help = (
        "When an installer plugs in an ONU that no OLT knows, it appears here with its serial and its PON port. It is "
        "found with the daily inventory; to look at once, open the OLT and press Look for waiting ONUs."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[WaitingOnu]:
        return super().get_queryset(request).select_related("olt")

    def get_list_display(self, request: HttpRequest) -> tuple[Any, ...]:
        shown = tuple(super().get_list_display(request))
        return (*shown, "authorise_link") if self.has_operate_permission(request) else shown

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.authorise_view)
        return [
            path("<uuid:pk>/authorise/", view, name="hardware_waitingonu_authorise"),
            *super().get_urls(),
        ]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        if waiting := kwargs.get("obj"):
            context |= {
                "facts": _facts(waiting),
                "authorise_url": _url(waiting) if self.has_operate_permission(request) else "",
            }
        return super().render_change_form(request, context, *args, **kwargs)

    def authorise_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Lead from a waiting ONU to its service: which one, how it is served, what will be sent, yes."""
        waiting = self.get_queryset(request).filter(pk=pk).first()
        if waiting is None:
            raise Http404
        if not self.has_operate_permission(request):
            raise PermissionDenied
        if request.method not in ("GET", "POST"):
            return HttpResponseNotAllowed(["GET", "POST"])
        return _Wizard(self, request, waiting).answer()

    @admin.display(description="OLT", ordering="olt__name")
    def olt_name(self, obj: WaitingOnu) -> str:
        return obj.olt.name

    @admin.display(description="PON port", ordering="pon_port")
    def port(self, obj: WaitingOnu) -> str:
        return obj.pon_port

    @admin.display(description="Model")
    def equipment(self, obj: WaitingOnu) -> str:
        return obj.equipment_id or DASH

    @admin.display(description="Software")
    def software_or_dash(self, obj: WaitingOnu) -> str:
        return obj.software or DASH

    @admin.display(description="")
    def authorise_link(self, obj: WaitingOnu) -> str:
        return links.link(_url(obj), "Authorise…")


class _Wizard:
    """One request of the way; where it stands is told by what its address names."""

    def __init__(self, page: WaitingOnuAdmin, request: HttpRequest, waiting: WaitingOnu) -> None:
        self.page, self.request, self.waiting = page, request, waiting
        self.given = request.POST if request.method == "POST" else request.GET
        self.url = _url(waiting)

    def answer(self) -> HttpResponse:
        try:
            driver = planning.planner(self.waiting.olt, ProvisioningAction.AUTHORIZE)
        except (DomainError, KeyError) as refusal:
            reason = str(refusal) if isinstance(refusal, DomainError) else "This vendor is not supported yet."
            return self._show("refused", 0, refused=reason)
        named = self.given.get("service", "")
        if not named:
            return self._ask_service()
        line = None if named == NO_SERVICE else _service_of(named)
        if line is None and named != NO_SERVICE:
            messages.error(self.request, "This service takes no ONU any more. Choose another.")
            return redirect(self.url)
        # The fields of the third step's form are those of the second: `plan` says they were filled in.
        if "plan" not in self.given:
            return self._ask_preset(driver, named, line, AuthoriseForm(
                waiting=self.waiting, driver=driver, initial={"description": _description(line)}
            ))  # fmt: skip
        form = AuthoriseForm(self.given, waiting=self.waiting, driver=driver)
        if not form.is_valid():
            return self._ask_preset(driver, named, line, form)
        return self._plan(driver, named, line, form)

    def _ask_service(self) -> HttpResponse:
        text = self.request.GET.get("q", "").strip()
        return self._show(
            "service",
            0,
            query=text,
            services=[
                {
                    "url": f"{self.url}?{urlencode({'service': line.pk})}",
                    "number": line.number,
                    "customer": line.subscriber.full_name,
                    "phone": line.subscriber.phone,
                    "plan": line.plan.name,
                    "premise": str(line.premise),
                    "status": line.get_status_display(),
                }
                for line in _services(text)
            ],
            without_url=f"{self.url}?{urlencode({'service': NO_SERVICE})}",
        )

    def _ask_preset(
        self, driver: Driver, named: str, line: Subscription | None, form: AuthoriseForm, refused: str = ""
    ) -> HttpResponse:
        needed = [LABELS[name] for name in sorted(driver.preset_fields, key=list(LABELS).index)]
        return self._show(
            "preset", 1, service=named, line=_line(line), form=form, refused=refused, needed=", ".join(needed),
            has_presets=form.fields["preset"].queryset.exists(),  # type: ignore[attr-defined]
            presets_url=reverse("admin:hardware_onupreset_changelist"),
        )  # fmt: skip

    def _plan(
        self, driver: Driver, named: str, line: Subscription | None, form: AuthoriseForm
    ) -> HttpResponse:
        """Show the plan, or ask for it to be carried out when the one that was shown is confirmed."""
        asked = {
            **form.asked(),
            "olt": self.waiting.olt,
            "pon_port": self.waiting.pon_port,
            "serial": self.waiting.serial,
            "subscription_id": line and line.pk,
            "user_id": self.request.user.pk,
        }
        has_changed = False
        try:
            if self.request.method == "POST":
                with transaction.atomic():
                    change = provisioning.request_authorize(**asked)
                    if _digest(change) == self.request.POST.get("seen"):
                        return redirect("admin:hardware_provisioningjob_change", change.pk)
                    transaction.set_rollback(True)
                has_changed = True
            else:
                change = preview.preview_authorize(**asked)
        except DomainError as refusal:
            return self._ask_preset(driver, named, line, form, refused=_in_words(refusal))
        return self._show(
            "plan", 2, service=named, line=_line(line), steps=steps_of(change), seen=_digest(change),
            has_changed=has_changed, number=change.onu_number, description=change.description,
            preset=change.preset, over=self.waiting.olt.get_cli_protocol_display() if driver.cli_types else "SNMP",
            hidden=[(name, self.given.get(name, "")) for name in form.fields],
            back=f"{self.url}?{urlencode({'service': named})}",
        )  # fmt: skip

    def _show(self, step: str, at: int, **more: Any) -> HttpResponse:
        context = {
            **self.page.admin_site.each_context(self.request),
            "title": f"Authorise {self.waiting.serial}",
            "opts": self.page.opts,
            "original": self.waiting,
            "facts": _facts(self.waiting),
            "step": step,
            "wizard": [
                {"name": name, "is_done": each < at, "is_current": each == at, "number": each + 1}
                for each, name in enumerate(STEPS)
            ],
            "here": self.url,
            "list_url": reverse("admin:hardware_waitingonu_changelist"),
            "olt_url": reverse("admin:hardware_olt_change", args=[self.waiting.olt_id]),
            **more,
        }
        return TemplateResponse(self.request, "admin/hardware/waitingonu/authorise.html", context)


def _open_services() -> QuerySet[Subscription]:
    """Return the services an ONU can be put to: those to be installed, and active ones without one."""
    fed = Onu.objects.filter(subscription=OuterRef("pk"))
    return (
        Subscription.objects.filter(status__in=(ServiceStatus.PENDING_INSTALLATION, ServiceStatus.ACTIVE))
        .filter(~Exists(fed))
        .select_related("subscriber", "plan", "premise")
    )


def _services(text: str) -> list[Subscription]:
    """Find services by number, or by the customer's words or telephone; without a text the newest orders."""
    rows = _open_services()
    if not text:
        return list(rows.filter(status=ServiceStatus.PENDING_INSTALLATION).order_by("-pk")[:SUGGESTED])
    found = customers.search_subscribers(Subscriber.objects.order_by(), text)
    matches = Q(subscriber__in=found.values("pk"))
    number = text.removeprefix("#")
    if number.isascii() and number.isdecimal() and len(number) <= MOST_DIGITS:
        matches |= Q(number=int(number))
    return list(rows.filter(matches).order_by("-pk")[:SERVICES_SHOWN])


def _service_of(pk: str) -> Subscription | None:
    try:
        found: Subscription | None = _open_services().filter(pk=pk).first()
    except (ValueError, forms.ValidationError):
        return None
    return found


def _line(line: Subscription | None) -> dict[str, Any] | None:
    if line is None:
        return None
    return {"name": f"#{line.number} {line.subscriber.full_name}", "plan": line.plan.name,
            "premise": str(line.premise)}  # fmt: skip


def _description(line: Subscription | None) -> str:
    """Name the service as a command line takes it: ASCII letters and digits, one space apart."""
    if line is None:
        return ""
    name = unicodedata.normalize("NFKD", line.subscriber.full_name)
    plain = "".join(letter if letter.isascii() and letter.isalnum() else " " for letter in name
                    if not unicodedata.combining(letter))  # fmt: skip
    return " ".join(f"{line.number} {plain}".split())[:DESCRIPTION_LENGTH].rstrip()


def _digest(change: ProvisioningJob) -> str:
    """Tell one plan from another, so that nothing is sent that was not shown."""
    shown = json.dumps([change.serial, change.pon_port, change.onu_number, change.plan], sort_keys=True)
    return hashlib.blake2b(shown.encode(), digest_size=16).hexdigest()


def _in_words(refusal: DomainError) -> str:
    """Say a refusal with the fields' names as the form has them."""
    text = str(refusal)
    if isinstance(refusal, planning.PresetIncomplete):
        for name, label in LABELS.items():
            text = re.sub(rf"\b{name}\b", label, text)
        return text.replace("the preset or in the request", "the preset or in the fields below")
    return text


def _facts(waiting: WaitingOnu) -> list[tuple[str, Any]]:
    olt = links.link(reverse("admin:hardware_olt_change", args=[waiting.olt_id]), waiting.olt.name)
    return [
        ("Serial", waiting.serial),
        ("OLT", olt),
        ("PON port", waiting.pon_port),
        ("Model", waiting.equipment_id or DASH),
        ("Software", waiting.software or DASH),
        ("Waits since", moment(waiting.first_seen_at)),
        ("Last seen", moment(waiting.last_seen_at)),
    ]


def _url(waiting: WaitingOnu) -> str:
    return reverse("admin:hardware_waitingonu_authorise", args=[waiting.pk])


links.add("waiting_onu", "admin:hardware_waitingonu_change")
navigation.add_list("Network", 30, "Waiting for authorisation", WaitingOnu, icon="pending")
