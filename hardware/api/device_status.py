"""What a service's device says, in the fields of the AEx provider API; what a device does not tell is null."""

from typing import Any

from django.utils import timezone
from rest_framework import serializers

from hardware.models import OPEN_OUTAGE, Onu, OnuStatus, OutageOnu, Signal
from hardware.selectors import Telemetry, olt_signal_of, signal_of, telemetry_of_onus, with_telemetry
from hardware.services.signal import limits_of
from ispcore.tenants.context import current_tenant_id
from ispcore.tenants.models import Tenant

ALERTS = {
    Signal.WARNING: "Signal weak: {power}",
    Signal.CRITICAL: "Signal critical: {power}",
    Signal.OVERLOAD: "Signal too strong: {power}",
}


class DeviceStatusSerializer(serializers.Serializer[Any]):
    """Statuses in words, powers in dBm, the distance in metres; `sfp_` is the OLT's end of the fibre."""

    network = serializers.CharField()
    pop = serializers.CharField(allow_null=True)
    serial_number = serializers.CharField()
    gpon_status = serializers.CharField()
    cpe = serializers.CharField(allow_null=True)
    model = serializers.CharField(allow_null=True)
    last_updated = serializers.DateTimeField(allow_null=True)
    service = serializers.CharField()
    pop_name = serializers.CharField(allow_null=True)
    alerts = serializers.ListField(child=serializers.CharField())
    alarms = serializers.ListField(child=serializers.CharField())
    populated_ports = serializers.CharField(allow_null=True)
    olt_port = serializers.CharField()
    distance = serializers.IntegerField(allow_null=True)
    rx_status = serializers.CharField(allow_null=True)
    rx_power = serializers.FloatField(allow_null=True)
    sfp_status = serializers.CharField(allow_null=True)
    sfp_power = serializers.FloatField(allow_null=True)
    sfp_rx_status = serializers.CharField(allow_null=True)
    sfp_rx_power = serializers.FloatField(allow_null=True)
    tx_power = serializers.FloatField(allow_null=True)
    tx_status = serializers.CharField(allow_null=True)
    switch = serializers.CharField()
    sfp_sync_speed = serializers.CharField(allow_null=True)
    switch_port = serializers.CharField(allow_null=True)


def present_device_status(onu: Onu) -> dict[str, Any]:
    """Return the fields of the seed, from an ONU read with its OLT, PON port and subscription."""
    limits = limits_of(onu.olt.pon_class)
    port = onu.pon_port
    return {
        "network": Tenant.objects.values_list("name", flat=True).get(pk=current_tenant_id()),
        "pop": onu.olt.sys_name or None,
        "serial_number": onu.serial,
        "gpon_status": onu.status,
        "cpe": onu.serial[:4] if onu.serial[:4].isalpha() else None,
        "model": onu.model or None,
        "last_updated": onu.observed_at,
        "service": str(onu.subscription.number) if onu.subscription else "",
        "pop_name": onu.olt.site or None,
        "alerts": _alerts(onu),
        "alarms": _alarms(onu),
        "populated_ports": None,
        "olt_port": onu.index,
        "distance": onu.distance_m,
        "rx_status": _word(signal_of(onu.rx_power_dbm, limits)),
        "rx_power": onu.rx_power_dbm,
        "sfp_status": None if port is None or port.is_up is None else "up" if port.is_up else "down",
        "sfp_power": port.tx_power_dbm if port else None,
        "sfp_rx_status": _word(olt_signal_of(onu.olt_rx_power_dbm, limits)),
        "sfp_rx_power": onu.olt_rx_power_dbm,
        "tx_power": onu.tx_power_dbm,
        "tx_status": None,
        "switch": onu.olt.name,
        "sfp_sync_speed": None,
        "switch_port": port.index if port else None,
    }


def _word(signal: Signal) -> str | None:
    return None if signal == Signal.NONE else str(signal)


def _alerts(onu: Onu) -> list[str]:
    """Say what staff should look at, while the line still works."""
    alerts = []
    if onu.status == OnuStatus.ONLINE and onu.signal in ALERTS:
        power = "no reading at the ONU" if onu.rx_power_dbm is None else f"{onu.rx_power_dbm:.1f} dBm"
        alerts.append(ALERTS[Signal(onu.signal)].format(power=power))
    rows = with_telemetry(Onu.objects.filter(pk=onu.pk), telemetry_of_onus(timezone.now()))
    telemetry = rows.values_list("telemetry", flat=True).get()
    if telemetry != Telemetry.FRESH:
        alerts.append(Telemetry(telemetry).label)
    return alerts


def _alarms(onu: Onu) -> list[str]:
    """Say why the line is down."""
    if onu.status not in (OnuStatus.OFFLINE, OnuStatus.VANISHED):
        return []
    alarms = [onu.get_last_down_cause_display() or onu.get_status_display()]
    member = (
        OutageOnu.objects.filter(onu=onu, up_at=None, outage__status__in=OPEN_OUTAGE)
        .select_related("outage")
        .first()
    )
    return [*alarms, f"Outage: {member.outage}"] if member else alarms
