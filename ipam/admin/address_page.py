"""What an address' page shows: who holds it, since when, and who held it before."""

from typing import Any

from ipam.admin.words import holder, service_link, state_pill
from ipam.models import Address, AddressState, PastAssignment
from ispcore.admin import links
from ispcore.admin.formats import DASH, moment

PAST_SHOWN = 50


def context(address: Address) -> dict[str, Any]:
    """Read one address' page; as many queries for one past holder as for fifty."""
    past = PastAssignment.objects.filter(vrf=address.vrf_id, address=address.address)
    rows = past.select_related("subscription__subscriber", "ended_by").order_by("-ended_at")[: PAST_SHOWN + 1]
    found = list(rows)
    return {
        "state": state_pill(address),
        "facts": _facts(address),
        "past": [past_row(row) for row in found[:PAST_SHOWN]],
        "more_past": len(found) > PAST_SHOWN,
    }


def past_row(row: PastAssignment) -> dict[str, Any]:
    return {
        "address": row.address,
        "holder": service_link(row.subscription) if row.subscription else row.assigned_to,
        "host": row.hostname or DASH,
        "began": moment(row.began_at),
        "ended": moment(row.ended_at),
        "by": str(row.ended_by or "The system"),
        "reason": row.reason or DASH,
    }


def _facts(address: Address) -> list[tuple[str, Any]]:
    return [
        *_held(address),
        (
            "Pool",
            links.link(links.url_of("pool", address.pool_id), address.pool.name) if address.pool else "none",
        ),
        (
            "Subnet",
            links.link(links.url_of("subnet", address.subnet_id), str(address.subnet))
            if address.subnet
            else "none",
        ),
        ("VRF", links.link(links.url_of("vrf", address.vrf_id), address.vrf.name)),
        ("Host name", address.hostname or DASH),
        ("Last given, kept back or taken by", str(address.changed_by or "the system")),
    ]


def _held(address: Address) -> list[tuple[str, Any]]:
    match AddressState(address.state):
        case AddressState.ASSIGNED:
            return [("Holder", holder(address)), ("Since", moment(address.assigned_at))]
        case AddressState.RESERVED:
            return [("Kept back for", address.reserved_for or DASH)]
        case AddressState.QUARANTINED:
            return [("Rests until", moment(address.quarantined_until))]
    return [("Free since", moment(address.free_since))]
