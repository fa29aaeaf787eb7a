"""The network's tab on a customer's page: the ONU of each line, how it is, and what happened to it."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from hardware import selectors
from hardware.admin.onu_page import event_row
from hardware.admin.signals import (
    PROVISIONING_TONES,
    SIGNAL_TONES,
    STATUS_TONES,
    TELEMETRY_TONES,
    dbm,
    metres,
    signal,
    since,
    status_words,
    telemetry_words,
)
from hardware.models import OPEN_OUTAGE, Onu, OnuStatus, Outage, ProvisioningJob, ProvisioningStatus, Signal
from hardware.selectors import LOW_SIGNALS, Telemetry, telemetry_of_onus, with_telemetry
from ispcore.admin.formats import moment, pill
from subscribers.admin import tabs
from subscribers.models import ServiceStatus, Subscriber, Subscription

LINES_SHOWN = 20
EVENTS_SHOWN = 20
CHANGES_SHOWN = 10
ENDED = (ServiceStatus.TERMINATED, ServiceStatus.CANCELLED)


def network_tab(request: HttpRequest, subscriber: Subscriber) -> dict[str, Any]:
    """Read the ONUs of a customer's lines; as many queries for one line as for six."""
    rows = Subscription.objects.filter(subscriber=subscriber).exclude(status__in=ENDED)
    return _network(request, list(rows.select_related("plan", "premise").order_by("pk")[:LINES_SHOWN]))


def service_panel(request: HttpRequest, line: Subscription) -> dict[str, Any]:
    """Read the ONU of one line."""
    return {**_network(request, [line]), "is_single": True}


def _network(request: HttpRequest, lines: list[Subscription]) -> dict[str, Any]:
    found = with_telemetry(
        Onu.objects.filter(subscription__in=[line.pk for line in lines]), telemetry_of_onus(timezone.now())
    )
    onus = {onu.subscription_id: onu for onu in found.select_related("olt", "pon_port")}
    outages = _outages([onu.pk for onu in onus.values()])
    may_operate = request.user.has_perm("hardware.operate")
    waiting = reverse("admin:hardware_waitingonu_changelist")
    return {
        "network": [_line(line, onus.get(line.pk), outages, may_operate) for line in lines],
        "onu_events": [
            event_row(event)
            for event in selectors.events_of([onu.pk for onu in onus.values()], limit=EVENTS_SHOWN)
        ],
        "onu_changes": _changes(lines),
        "waiting_url": waiting if may_operate else "",
    }


def _outages(onus: list[Any]) -> dict[Any, Outage]:
    """Return the open outage each ONU is part of."""
    rows = Outage.objects.filter(
        status__in=OPEN_OUTAGE, members__onu__in=onus, members__up_at=None
    ).values_list("members__onu_id", "pk")
    found = {outage.pk: outage for outage in Outage.objects.filter(pk__in={pk for _, pk in rows})}
    return {onu: found[pk] for onu, pk in rows if pk in found}


def _line(line: Subscription, onu: Any, outages: dict[Any, Outage], may_operate: bool) -> dict[str, Any]:
    drawn: dict[str, Any] = {"name": str(line), "plan": line.plan.name, "premise": str(line.premise)}
    if onu is None:
        return drawn
    outage = outages.get(onu.pk)
    page = "admin:hardware_onu_action"
    return drawn | {
        "onu": {
            "url": reverse("admin:hardware_onu_change", args=[onu.pk]),
            "serial": onu.serial,
            "tone": STATUS_TONES[OnuStatus(onu.status)],
            "words": status_words(onu),
            "since": since(onu),
            "place": f"{onu.olt.name} · {onu.index}",
            "signal": signal(onu.rx_power_dbm, onu.signal),
            "olt_rx": dbm(onu.olt_rx_power_dbm),
            "distance": metres(onu.distance_m),
            "telemetry": telemetry_words(onu),
            "telemetry_tone": TELEMETRY_TONES[onu.telemetry],
            "is_fresh": onu.telemetry == Telemetry.FRESH,
        },
        "outage": {
            "url": reverse("admin:hardware_outage_change", args=[outage.pk]),
            "words": outage.get_cause_display(),
        }
        if outage
        else None,
        "actions": [
            {"url": reverse(page, args=[onu.pk, name]), "title": title}
            for name, title in (("read_now", "Read now"), ("restart", "Restart"))
        ]
        if may_operate
        else [],
    }


def _changes(lines: list[Subscription]) -> list[dict[str, Any]]:
    rows = ProvisioningJob.objects.filter(subscription__in=[line.pk for line in lines])
    return [
        {
            "url": reverse("admin:hardware_provisioningjob_change", args=[change.pk]),
            "what": f"{change.get_action_display()} {change.serial}",
            "status": pill(
                change.get_status_display(), PROVISIONING_TONES[ProvisioningStatus(change.status)]
            ),
            "at": moment(change.created_at),
        }
        for change in rows.order_by("-created_at")[:CHANGES_SHOWN]
    ]


def onu_lights(lines: Sequence[Subscription]) -> dict[UUID, str]:
    """Tell of each line with an ONU how that was when it was last read."""
    rows = Onu.objects.filter(subscription__in=[line.pk for line in lines if line.status not in ENDED])
    return {onu.subscription_id: _onu_light(onu) for onu in rows}


def _onu_light(onu: Onu) -> str:
    if onu.status == OnuStatus.ONLINE and onu.signal in LOW_SIGNALS:
        return pill(f"ONU light: {str(onu.get_signal_display()).lower()}", SIGNAL_TONES[Signal(onu.signal)])
    words = status_words(onu)
    return pill(f"ONU {words[:1].lower()}{words[1:]}", STATUS_TONES[OnuStatus(onu.status)])


tabs.add_lights(30, "onu", allowed="hardware.view_onu", read=onu_lights)
tabs.add(
    30,
    "network",
    "Network",
    template="admin/hardware/customer.html",
    allowed="hardware.view_onu",
    read=network_tab,
)
tabs.add_panel(
    30,
    "network",
    template="admin/hardware/customer.html",
    allowed="hardware.view_onu",
    read=service_panel,
)
