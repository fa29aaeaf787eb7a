"""From which power on a signal is weak: the limits, and the classes stored with the ONUs."""

from typing import Any
from uuid import UUID

from django.db import connection, transaction

from hardware.models import Olt, SignalLimits
from ispcore.errors import DomainError
from ispcore.tenants.context import current_tenant_id


class LimitsOutOfOrder(DomainError):
    code = "limits_out_of_order"
    status = 422
    message = (
        "The limits must descend: critical below warning, warning below overload, and at the OLT critical below "
        "warning."
    )


class LimitsExist(DomainError):
    code = "duplicate_signal_limits_pon_class"
    message = "There are limits for {pon_class} already. Change those."
    field = "pon_class"


class LimitsOfAnotherClass(DomainError):
    code = "limits_of_another_class"
    message = "These are the limits of {pon_class}. Create others for another class."
    field = "pon_class"


def limits_of(pon_class: str) -> SignalLimits:
    """Return the tenant's limits for a class of optics, or the usual ones."""
    found: SignalLimits | None = SignalLimits.objects.filter(pon_class=pon_class).first()
    return found or SignalLimits(pon_class=pon_class)


def signal_sql(rx: str, olt_rx: str) -> str:
    """Return SQL for the class of two powers, the worse one; `limit_params` gives its parameters."""
    return (
        f"CASE WHEN {rx} IS NULL AND {olt_rx} IS NULL THEN 'none' "
        f"WHEN {rx} < %(critical)s OR {olt_rx} < %(olt_critical)s THEN 'critical' "
        f"WHEN {rx} > %(overload)s THEN 'overload' "
        f"WHEN {rx} < %(warning)s OR {olt_rx} < %(olt_warning)s THEN 'warning' ELSE 'good' END"
    )


def limit_params(limits: SignalLimits) -> dict[str, float]:
    return {
        "overload": limits.overload_above_dbm,
        "warning": limits.warning_below_dbm,
        "critical": limits.critical_below_dbm,
        "olt_warning": limits.olt_warning_below_dbm,
        "olt_critical": limits.olt_critical_below_dbm,
    }


@transaction.atomic
def create_limits(*, pon_class: str, **limits: float) -> SignalLimits:
    """Store limits for a class of optics and classify its ONUs anew. Raises LimitsExist, LimitsOutOfOrder."""
    if SignalLimits.objects.filter(pon_class=pon_class).exists():
        raise LimitsExist(pon_class=pon_class)
    return _save(SignalLimits(pon_class=pon_class, **limits))


@transaction.atomic
def change_limits(*, limits_id: UUID, **limits: float) -> SignalLimits:
    """Change some limits and classify the ONUs of their class anew. Raises LimitsOutOfOrder."""
    row = SignalLimits.objects.select_for_update(of=("self",)).get(pk=limits_id)
    for name, value in limits.items():
        setattr(row, name, value)
    return _save(row)


@transaction.atomic
def remove_limits(*, limits_id: UUID) -> None:
    """Return a class of optics to the usual limits and classify its ONUs anew."""
    row = SignalLimits.objects.select_for_update(of=("self",)).get(pk=limits_id)
    pon_class = row.pon_class
    row.delete()
    classify(limits_of(pon_class))


def classify(limits: SignalLimits, *, olt_id: UUID | None = None) -> int:
    """Write the class of every ONU behind OLTs of these optics, or behind one OLT; return how many changed.

    A change of limits is no event in an ONU's life.
    """
    one, params = ("AND olt.id = %(olt)s", {"olt": olt_id}) if olt_id else ("", {})
    signal = signal_sql("onu.rx_power_dbm", "onu.olt_rx_power_dbm")
    everything: dict[str, Any] = {
        **limit_params(limits), **params, "tenant": current_tenant_id(), "class": limits.pon_class
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            UPDATE hardware_onu AS onu SET signal = {signal}, updated_at = now()
            FROM hardware_olt AS olt
            WHERE onu.tenant_id = %(tenant)s AND olt.tenant_id = %(tenant)s AND olt.id = onu.olt_id
                  AND olt.pon_class = %(class)s {one} AND onu.signal <> {signal}
            """,  # noqa: S608  (made of column names)
            everything,
        )
        return int(cursor.rowcount)


@transaction.atomic
def classify_olt(*, olt_id: UUID) -> int:
    """Classify one OLT's ONUs by the limits of its optics, after these were changed."""
    olt = Olt.objects.get(pk=olt_id)
    return classify(limits_of(olt.pon_class), olt_id=olt.pk)


def _save(row: SignalLimits) -> SignalLimits:
    descending = row.critical_below_dbm < row.warning_below_dbm < row.overload_above_dbm
    if not descending or row.olt_critical_below_dbm >= row.olt_warning_below_dbm:
        raise LimitsOutOfOrder
    row.save()
    classify(row)
    return row
