"""Who was behind a public address and port at a moment: asked for by law, and written down."""

from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import formats, timezone

from ipam.admin.fields import AddressField
from ipam.admin.words import service_link
from ipam.services import cgnat
from ispcore.admin import links, navigation
from ispcore.admin.fields import MomentInput, NumberInput, TextInput
from ispcore.admin.formats import moment
from ispcore.api.request import client_ip, request_id_of
from ispcore.errors import DomainError

MAY_LOOK_UP = "ipam.reveal"


class LookUpForm(forms.Form):
    public_address = AddressField(
        label="Public address", help_text="As the request names it, such as 203.0.113.130."
    )
    port = forms.IntegerField(
        min_value=0,
        max_value=65535,
        widget=NumberInput,
        label="Port",
        help_text="The source port, seen from outside.",
    )
    moment = forms.DateTimeField(
        widget=MomentInput(attrs={"step": "1"}),
        label="When",
        help_text="In the provider's time zone; mind that of the request.",
    )
    reference = forms.CharField(
        max_length=cgnat.MAX_REFERENCE,
        widget=TextInput,
        label="Reference",
        help_text="What allows you to ask, such as a court's file number. It is written down with your name.",
    )


def may_look_up(request: HttpRequest) -> bool:
    return bool(request.user.has_perm(MAY_LOOK_UP))


def look_up_view(page: Any, request: HttpRequest) -> HttpResponse:
    """Ask, look up, write down, answer in words; every POST that is understood leaves an entry."""
    if not may_look_up(request):
        raise PermissionDenied
    form = LookUpForm(request.POST or None, label_suffix="")
    answer = None
    if request.method == "POST" and form.is_valid():
        try:
            answer = cgnat.look_up(
                **form.cleaned_data,
                at=timezone.now(),
                user_id=request.user.pk,
                ip=client_ip(request),
                request_id=request_id_of(request),
            )
        except DomainError as refusal:
            named = "moment" if refusal.field == "at" else refusal.field
            form.add_error(named if named in form.fields else None, str(refusal))
    context = {
        **page.admin_site.each_context(request),
        "title": "Who was behind a public address",
        "form": form,
        "answer": _in_words(answer, form.cleaned_data) if answer else None,
    }
    return TemplateResponse(request, "admin/ipam/cgnatrule/look_up.html", context)


def _in_words(answer: cgnat.Answer, asked: dict[str, Any]) -> dict[str, Any]:
    at = formats.date_format(timezone.localtime(asked["moment"]), "j M Y H:i:s")
    where = f"{asked['public_address']}, port {asked['port']}, at {at}"
    if answer.rule is None:
        said = (
            "No CGNAT rule was valid for this address then. It may be an address that one line has alone: find it in "
            "the list of addresses."
        )
        return {"tone": "warning", "title": f"Nobody is known behind {where}.", "said": said, "facts": []}
    rule = links.link(links.url_of("cgnat_rule", answer.rule.pk), answer.rule.name)
    facts: list[tuple[str, Any]] = [("By the rule", rule)]
    if answer.inside_address is None:
        said = "The rule gives this port to no line."
        return {"tone": "warning", "title": f"Nobody was behind {where}.", "said": said, "facts": facts}
    facts.append(("Inside address", answer.inside_address))
    if answer.began_at is None:
        said = f"Nobody held the inside address {answer.inside_address} then."
        return {"tone": "warning", "title": f"Nobody was behind {where}.", "said": said, "facts": facts}
    facts += [
        ("Held from", moment(answer.began_at)),
        ("Held until", moment(answer.ended_at, empty="it is still held")),
    ]
    line = answer.subscription
    if line is None:
        return {
            "tone": "good",
            "title": f"{answer.assigned_to} was behind {where}.",
            "said": "",
            "facts": facts,
        }
    facts = [
        ("Service", service_link(line)),
        ("Customer", links.link(links.url_of("subscriber", line.subscriber_id), str(line.subscriber))),
        ("Plan", line.plan.name),
        *facts,
    ]
    title = f"{line.subscriber.full_name}, service {line.number}, was behind {where}."
    return {"tone": "good", "title": title, "said": "", "facts": facts}


navigation.add(
    "Addresses",
    60,
    "CGNAT look-up",
    url_name="admin:ipam_cgnatrule_look_up",
    icon="person_search",
    allowed=MAY_LOOK_UP,
)
