"""Registered OLTs: found, checked against what a caller says of them, removed."""

from datetime import date, datetime
from uuid import UUID

from django.db import connection, transaction

from hardware.models import Olt, OnuStatus
from hardware.services import management
from ispcore.errors import DomainError, NotRegistered

PARTITIONS_AHEAD = 3  # Months; a beat that is down for that long has worse problems.


class OltNotRegistered(NotRegistered):
    code = "olt_not_registered"
    message = "No OLT with {what} is registered. Register it first, then name it here."


class AmbiguousOlt(DomainError):
    code = "ambiguous_olt"
    message = "Several OLTs share the IP address {ip}, told apart by their SNMP port. Name one by olt_id."
    field = "olt_id"


class OltDisagrees(DomainError):
    code = "olt_disagrees"
    message = "The {field} given is not that of the registered OLT. Leave it out, or correct the OLT."


class OltHasOnus(DomainError):
    code = "olt_has_onus"
    message = (
        "{name} still lists {count} ONUs. Move or remove them at the device and discover it again first."
    )


def find_olt(
    *,
    olt_id: UUID | None = None,
    ip: str | None = None,
    community: str | None = None,
    vendor: str | None = None,
) -> Olt:
    """Return the tenant's registered OLT of that id or IP address.

    A device is never addressed on a caller's word alone: `community` and `vendor`, when given, must be
    those of the registration. Raises OltNotRegistered, AmbiguousOlt, OltDisagrees.
    """
    found = list(Olt.objects.filter(pk=olt_id) if olt_id else Olt.objects.filter(ip=ip))
    if not found:
        raise OltNotRegistered(what="this id" if olt_id else f"the IP address {ip}")
    if len(found) > 1:
        raise AmbiguousOlt(ip=ip)
    olt: Olt = found[0]
    if ip and olt.ip != ip:
        raise OltDisagrees(field="ip")
    if vendor and olt.vendor != vendor:
        raise OltDisagrees(field="vendor")
    if community and not olt.community.matches(community):
        raise OltDisagrees(field="community")
    return olt


@transaction.atomic
def remove_olt(*, olt_id: UUID, at: datetime) -> None:
    """Delete an OLT that no longer lists any ONU, with its ports and runs; its units' management addresses go back.

    Raises OltHasOnus while one is listed.
    """
    olt = Olt.objects.filter(pk=olt_id).select_for_update().get()
    count = olt.onus.filter(vanished_at=None).exclude(status=OnuStatus.REMOVED).count()
    if count:
        raise OltHasOnus(name=olt.name, count=count)
    for onu_id in olt.onus.exclude(management_address=None).order_by("pk").values_list("pk", flat=True):
        management.return_management_address(onu_id=onu_id, at=at, reason="OLT removed")
    olt.delete()


def make_reading_partitions(*, on: date) -> None:
    """Make the partitions of the month of `on` and the months after it; those that exist stay as they are."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT make_reading_partition((%s::date + make_interval(months => n))::date) "
            "FROM generate_series(0, %s) AS n",
            [on, PARTITIONS_AHEAD],
        )
