"""Access' part of the dashboard."""

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from aaa.admin.sessions import counts_by_nas, total_open
from aaa.admin.words import VERDICT_ADVICE, VERDICT_TONES
from aaa.models import Nas
from aaa.selectors import Verdict, verdict_of
from ispcore.admin import dashboard
from ispcore.admin.dashboard import Chart, Concern, FirstStep, Tile

CONCERNS_SHOWN = 6
MOST_JUDGED = 500
CALM = (Verdict.OK, Verdict.INACTIVE)


def tiles(request: HttpRequest) -> list[Tile]:
    if not _nases(request):
        return []
    online = total_open()
    return [
        Tile(
            "Live sessions",
            online,
            reverse("admin:aaa_session_changelist"),
            hint="online now",
            tone="good" if online else "",
        )
    ]


def charts(request: HttpRequest) -> list[Chart]:
    if not _nases(request):
        return []
    counted = counts_by_nas(request)
    return [
        Chart("Live sessions by NAS", counted["bars"], empty="Nobody is online.", hint="Who is online now.")
    ]


def concerns(request: HttpRequest) -> list[Concern]:
    """Name the NASes that are not heard of as they should be, the longest silent first."""
    now = timezone.now()
    found = [(nas, verdict_of(nas, now)) for nas in _nases(request) if nas.mirror_of is None]
    return [
        Concern(
            title=nas.name,
            detail=VERDICT_ADVICE[verdict],
            url=reverse("admin:aaa_nas_change", args=[nas.pk]),
            at=max(filter(None, (nas.last_auth_at, nas.last_acct_at)), default=None),
            at_label="last packet",
            word=f"NAS: {verdict.label[:1].lower()}{verdict.label[1:]}",
            tone=VERDICT_TONES[verdict],
        )
        for nas, verdict in found
        if verdict not in CALM
    ][:CONCERNS_SHOWN]


def first_steps(request: HttpRequest) -> list[FirstStep]:
    if _nases(request):
        return []
    return [
        FirstStep(
            "Register your first NAS",
            "Give the router your customers' connections end at, with the address its RADIUS packets come from and a "
            "shared secret. Log-ins, live sessions and usage then appear here.",
            "Register a NAS",
            reverse("admin:aaa_nas_add"),
        )
    ]


def _nases(request: HttpRequest) -> list[Nas]:
    """Read them once per request: several parts of the dashboard ask."""
    if not hasattr(request, "access_nases"):
        request.access_nases = list(Nas.objects.order_by("name")[:MOST_JUDGED])  # type: ignore[attr-defined]
    found: list[Nas] = request.access_nases  # type: ignore[attr-defined]
    return found


dashboard.add_tiles(50, allowed="aaa.view_session", read=tiles)
dashboard.add_charts(50, allowed="aaa.view_session", read=charts)
dashboard.add_concerns(45, allowed="aaa.view_nas", read=concerns)
dashboard.add_first_steps(50, allowed="aaa.add_nas", read=first_steps)
