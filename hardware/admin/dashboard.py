"""The network's part of the dashboard."""

from datetime import timedelta
from uuid import UUID

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from hardware import selectors
from hardware.admin.filters import WEAK
from hardware.admin.outages import place_of
from hardware.admin.signals import OUTAGE_TONES, SIGNAL_TONES, olt_state
from hardware.models import Olt, OnuStatus, OutageStatus, Signal, SignalLimits, WaitingOnu
from hardware.selectors import SIGNAL_HINTS, Overview
from ispcore.admin import dashboard
from ispcore.admin.dashboard import Bar, Chart, Concern, FirstStep, Part, Tile, share

OLTS_SHOWN = 8
CONCERNS_SHOWN = 6
ONLINE = Part("Online", 0, 0, "good")
NOT_ONLINE = Part("Offline or unknown", 0, 0, "danger")


def tiles(request: HttpRequest) -> list[Tile]:
    found = _overview(request)
    if not found.olts:
        return []
    onus = reverse("admin:hardware_onu_changelist")
    gone = found.onus[OnuStatus.VANISHED] + found.onus[OnuStatus.REMOVED]
    present = sum(found.onus.values()) - gone
    low = found.signals[Signal.CRITICAL] + found.signals[Signal.WARNING]
    offline, vanished = found.onus[OnuStatus.OFFLINE], found.onus[OnuStatus.VANISHED]
    outages, waiting = selectors.open_outages().count(), WaitingOnu.objects.count()
    return [
        Tile("OLTs", found.olts, reverse("admin:hardware_olt_changelist"), hint="registered"),
        Tile(
            "ONUs online",
            found.onus[OnuStatus.ONLINE],
            f"{onus}?status__exact=online",
            hint=f"of {present}",
            tone="good",
        ),
        Tile(
            "ONUs offline",
            offline,
            f"{onus}?status__exact=offline",
            hint="at the last reading",
            tone="danger" if offline else "",
        ),
        Tile(
            "Open outages",
            outages,
            f"{reverse('admin:hardware_outage_changelist')}?state=open",
            hint="suspected or confirmed",
            tone="danger" if outages else "",
        ),
        Tile(
            "Waiting ONUs",
            waiting,
            reverse("admin:hardware_waitingonu_changelist"),
            hint="for authorisation",
            tone="info" if waiting else "",
        ),
        Tile(
            "Low signal",
            low,
            f"{onus}?status__exact=online&signal={WEAK}",
            hint="warning or critical",
            tone="warning" if low else "",
        ),
        Tile(
            "ONUs vanished",
            vanished,
            f"{onus}?status__exact=vanished",
            hint="no longer listed",
            tone="warning" if vanished else "",
        ),
    ]


def signal_chart(request: HttpRequest) -> list[Chart]:
    found = _overview(request)
    if not found.olts:
        return []
    online = sum(found.signals.values())
    onus = reverse("admin:hardware_onu_changelist")
    has_own_limits = SignalLimits.objects.exists()
    bars = [
        Bar(
            label=kind.label,
            hint="" if has_own_limits else SIGNAL_HINTS[kind],
            value=f"{found.signals[kind]} ({100 * found.signals[kind] / online:.0f} %)",
            parts=[
                Part(kind.label, found.signals[kind], share(found.signals[kind], online), SIGNAL_TONES[kind])
            ],
            url=f"{onus}?status__exact=online&signal={kind.value}",
        )
        for kind in Signal
        if online
    ]
    return [
        Chart(
            "ONUs by signal",
            bars,
            hint="What the online ONUs receive, by class.",
            empty="No ONU is online. Discover an OLT to read its ONUs.",
        )
    ]


def olt_chart(request: HttpRequest) -> list[Chart]:
    found = _overview(request)
    if not found.olts:
        return []
    largest = sorted(found.by_olt, key=lambda pk: found.by_olt[pk], reverse=True)[:OLTS_SHOWN]
    names = dict(Olt.objects.filter(pk__in=largest).values_list("pk", "name"))
    bars = [_olt_bar(pk, names[pk], *found.by_olt[pk]) for pk in largest if pk in names]
    hint = f"The {OLTS_SHOWN} largest of {found.olts}." if found.olts > OLTS_SHOWN else ""
    empty = "No ONU is known yet. Discover an OLT to find its ONUs."
    return [Chart("ONUs by OLT", bars, empty=empty, hint=hint, legend=[ONLINE, NOT_ONLINE])]


def _olt_bar(pk: UUID, name: str, total: int, online: int) -> Bar:
    return Bar(
        label=name,
        value=f"{online} of {total} online",
        parts=[
            Part(ONLINE.label, online, share(online, total), ONLINE.tone),
            Part(NOT_ONLINE.label, total - online, share(total - online, total), NOT_ONLINE.tone),
        ],
        url=reverse("admin:hardware_olt_change", args=[pk]),
    )


def concerns(request: HttpRequest) -> list[Concern]:
    outages = [
        Concern(
            title=place_of(outage),
            detail=f"{outage.get_cause_display()}: {outage.onus_affected} ONUs, "
            f"{outage.customers_affected} customers.",
            url=reverse("admin:hardware_outage_change", args=[outage.pk]),
            at=outage.started_at,
            at_label="since",
            word=f"{outage.get_status_display().lower()} outage",
            tone=OUTAGE_TONES[OutageStatus(outage.status)],
        )
        for outage in selectors.open_outages()[:CONCERNS_SHOWN]
    ]
    now = timezone.now()
    troubled = [
        Concern(
            title=olt.name,
            detail=olt.last_error,
            url=reverse("admin:hardware_olt_change", args=[olt.pk]),
            at=olt.last_answer_at,
            at_label="last answer",
            word=olt_state(olt, now)[0].lower(),
            tone=olt_state(olt, now)[1],
        )
        for olt in selectors.troubled_olts(CONCERNS_SHOWN)
    ]
    failed = [
        Concern(
            title=f"Discovery of {run.olt.name}",
            detail=run.message,
            url=reverse("admin:hardware_discoveryrun_change", args=[run.pk]),
            at=run.started_at,
        )
        for run in selectors.failed_runs(timezone.now() - timedelta(days=1), CONCERNS_SHOWN)
    ]
    return outages + troubled + failed


def first_steps(request: HttpRequest) -> list[FirstStep]:
    if _overview(request).olts:
        return []
    return [
        FirstStep(
            "Register your first OLT",
            "Give its address and SNMP read community, press Discover, and its ports and ONUs appear here "
            "with their signal levels.",
            "Register an OLT",
            reverse("admin:hardware_olt_add"),
        )
    ]


def _overview(request: HttpRequest) -> Overview:
    """Count once per request: several parts of the dashboard show the same numbers."""
    if not hasattr(request, "network_overview"):
        request.network_overview = selectors.overview()  # type: ignore[attr-defined]
    found: Overview = request.network_overview  # type: ignore[attr-defined]
    return found


dashboard.add_tiles(40, allowed="hardware.view_olt", read=tiles)
dashboard.add_charts(40, allowed="hardware.view_olt", read=signal_chart)
dashboard.add_charts(41, allowed="hardware.view_olt", read=olt_chart)
dashboard.add_concerns(40, allowed="hardware.view_olt", read=concerns)
dashboard.add_first_steps(40, allowed="hardware.add_olt", read=first_steps)
