"""Reads across addresses and lines."""

from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet

from ipam.models import Address, AddressState, Pool, PoolKind, Purpose
from subscribers.models import Plan, ServiceStatus, Subscription

ENDED = (ServiceStatus.TERMINATED, ServiceStatus.CANCELLED)
# inet sorts all of IPv4 before IPv6: a comparison that an index serves tells the family.
LAST_OF_IPV4, FIRST_OF_IPV6 = "255.255.255.255", "::/0"


def hinted_pools() -> QuerySet[Pool]:
    """The pools that hand out and that a plan names as its own."""
    named = Plan.objects.exclude(pool_hint="").values("pool_hint")
    return Pool.objects.filter(is_active=True, name__in=named).order_by("name")


def waiting_lines(*pools: Pool) -> QuerySet[Subscription]:
    """The active lines that should hold an address of these pools and hold none: what is exhausted, or was lost.

    With no pool given, of all that plans name.
    """
    wanted = Q(pk__in=[])
    for pool in pools or tuple(hinted_pools()):
        held = Exists(Address.objects.filter(serves(pool), subscription=OuterRef("pk")))
        wanted |= Q(~held, plan__pool_hint=pool.name)
    return Subscription.objects.filter(wanted, status=ServiceStatus.ACTIVE)


def ended_lines_that_hold() -> QuerySet[Subscription]:
    """The lines that are over and whose addresses were not taken back."""
    held = Address.objects.filter(subscription=OuterRef("pk"), state=AddressState.ASSIGNED)
    return Subscription.objects.filter(Exists(held), status__in=ENDED)


def is_served(line: Subscription, pool: Pool) -> bool:
    """Tell whether a line needs nothing of the pool its plan names."""
    return Address.objects.filter(serves(pool), subscription=line).exists()


def serves(pool: Pool) -> Q:
    """What a line of this pool may hold: one of the pool, or a static address, which goes before it."""
    static = Q(pool__purpose=Purpose.STATIC, pool__family=pool.family, pool__kind=pool.kind)
    if pool.kind == PoolKind.ADDRESS:
        by_hand = Q(address__gte=FIRST_OF_IPV6) if pool.family == 6 else Q(address__lte=LAST_OF_IPV4)
        static |= Q(pool=None) & by_hand
    return Q(pool=pool) | static


def address_of_line(subscription_id: UUID) -> str | None:
    """Return an address by which a line is reached: a static one first, IPv4 before IPv6, never a prefix."""
    held = Address.objects.filter(subscription=subscription_id).select_related("pool").order_by("address")
    hosts = [each for each in held if "/" not in each.address]
    hosts.sort(key=lambda each: each.pool is not None and each.pool.purpose != Purpose.STATIC)
    return hosts[0].address if hosts else None
