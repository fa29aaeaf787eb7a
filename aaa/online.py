"""What live sessions tell the apps below: which addresses are in use, and by whom."""

from collections.abc import Iterator
from uuid import UUID

from aaa.models import Session
from ipam.services.reconciliation import SeenAddress
from ipam.services.space import default_vrf


def address_of_line(subscription_id: UUID) -> str | None:
    """Return the IPv4 address of a line's newest live session, None when it is not online."""
    live = Session.objects.filter(
        account__subscription=subscription_id, stopped_at=None, framed_ip__isnull=False
    )
    newest = live.order_by("-started_at", "-id").values_list("framed_ip", flat=True).first()
    return str(newest) if newest else None


def addresses_seen(vrf_id: UUID) -> Iterator[SeenAddress]:
    """Give what live sessions use: they are of the default VRF, since accounting names none."""
    if default_vrf().pk != vrf_id:
        return
    live = Session.objects.filter(stopped_at=None).values_list(
        "framed_ip", "delegated_prefix", "account__subscription", "username", "last_seen_at"
    )
    for framed_ip, delegated, subscription_id, username, seen_at in live.iterator():
        for address in filter(None, (framed_ip, delegated)):
            yield SeenAddress(
                address, subscription_id=subscription_id, seen_as=username[:120], seen_at=seen_at
            )
