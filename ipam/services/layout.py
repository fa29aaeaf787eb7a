"""Rows of addresses, made in steps: a pool of 2^72 prefixes costs nothing until they are handed out."""

from collections.abc import Iterable
from datetime import datetime
from itertools import islice
from uuid import UUID

from django.db import connection
from django.db.models import F, QuerySet

from ipam.models import Address, AddressState, Drift, Exclusion, Pool, PoolRange, PoolUsage, Subnet
from ipam.services import ranges
from ispcore.tenants.context import current_tenant_id

STEP = 1024
LARGEST_STEP = 65_536
SUBNET_STEP = 16

# Whatever stands in the way, the address itself or a prefix around it, stays as it is.
MAKE_ROWS_SQL = """
INSERT INTO ipam_address (
    id, tenant_id, created_at, updated_at, vrf_id, subnet_id, pool_id, address, state, assigned_to, reserved_for,
    hostname, note, free_since
)
SELECT uuidv7(), %(tenant)s, %(at)s, %(at)s, %(vrf)s, %(subnet)s, %(pool)s, unnest(%(addresses)s::inet[]), 'free',
       '', '', '', '', %(at)s
ON CONFLICT DO NOTHING
"""


def make_rows(pool: Pool, *, at: datetime, subnet_id: UUID | None = None) -> int:
    """Make the next step of the pool's addresses, of those in one subnet when given; 0 when all are made.

    The caller holds the pool's lock, so that no step is made twice.
    """
    laid_out = pool.ranges.exclude(next_address=None).select_related("subnet").order_by("first")
    if subnet_id:
        laid_out = laid_out.filter(subnet_id=subnet_id)
    step = STEP
    excluded = _exclusions_of(pool)
    for part in laid_out:
        while part.next_address:
            made = _make_step(pool, part, excluded, step, at)
            if made:
                return made
            step = min(step * 8, LARGEST_STEP)  # All there already: go on in larger steps.
    return 0


def make_row(pool: Pool | None, *, subnet: Subnet, address: str, at: datetime) -> None:
    """Make the row of one address, where there is none."""
    _insert(pool, subnet.vrf_id, subnet.pk, [address], at)


def make_rows_of_subnet(subnet: Subnet, *, at: datetime) -> int:
    """Make rows of the subnet's next addresses that lie in no pool and no subnet within; 0 when there are none.

    The caller holds the subnet's lock.
    """
    family, whole = ranges.family_of(subnet.network), ranges.span_of(subnet.network)
    begin = ranges.number_of(subnet.next_address) if subnet.next_address else whole.first
    taken = [span_of_range(each) for each in subnet.pool_ranges.all()]
    taken += [ranges.span_of(child.network) for child in subnet.children.all()]
    taken += ranges.never_handed_out(subnet.network, subnet.gateway).values()
    left = ranges.without([ranges.Span(begin, whole.last)], taken)
    made = 0
    numbers = ranges.numbers_in(left, 1)
    while not made and (step := list(islice(numbers, SUBNET_STEP))):
        made = _insert(None, subnet.vrf_id, subnet.pk, [ranges.text_of(n, family) for n in step], at)
        subnet.next_address = ranges.text_of(min(step[-1] + 1, whole.last), family)
    subnet.save(update_fields=["next_address"])
    return made


def spans_of(
    part: PoolRange, excluded: Iterable[ranges.Span], *, begin: int | None = None
) -> list[ranges.Span]:
    """Return what of a range its pool may hand out, from the address `begin` on."""
    size = ranges.unit_size(part.family, part.prefix_length)
    whole = span_of_range(part)
    kept = ranges.never_handed_out(part.subnet.network, part.subnet.gateway)
    if size > 1:  # A delegated prefix may begin where its subnet does.
        kept = {name: span for name, span in kept.items() if name == "gateway"}
    holes = [ranges.widened(span, size) for span in (*kept.values(), *excluded)]
    return ranges.without([ranges.Span(whole.first if begin is None else begin, whole.last)], holes)


def span_of_range(part: PoolRange | Exclusion) -> ranges.Span:
    return ranges.Span(ranges.number_of(part.first), ranges.number_of(part.last))


def first_of_frontier(pool: Pool) -> str | None:
    """Return the next address of which no row was made; None when all were. Reads `pool.ranges` and exclusions."""
    excluded = [span_of_range(each) for each in pool.exclusions.all()]
    for part in pool.ranges.all():
        if part.next_address:
            for span in spans_of(part, excluded, begin=ranges.number_of(part.next_address)):
                return ranges.unit_text(span.first, pool.family, pool.prefix_length)
    return None


def within(rows: QuerySet[Address], span: ranges.Span, family: int) -> QuerySet[Address]:
    """Narrow to the addresses and prefixes that lie in a span that is a network or begins and ends with one.

    inet sorts a prefix before the addresses in it, so the first address alone would miss the prefix there.
    """
    first, last = ranges.text_of(span.first, family), ranges.text_of(span.last, family)
    prefixes = [each for each in ranges.containers_of(first) if ranges.span_of(each).last <= span.last]
    prefixes = [each for each in prefixes if ranges.span_of(each).first == span.first]
    return rows.filter(address__gte=min(prefixes, key=ranges.length_of, default=first), address__lte=last)


def ranges_across(vrf_id: UUID, span: ranges.Span, family: int) -> QuerySet[PoolRange]:
    """The ranges of a VRF that have an address of the span."""
    return PoolRange.objects.filter(
        vrf_id=vrf_id,
        family=family,
        first__lte=ranges.text_of(span.last, family),
        last__gte=ranges.text_of(span.first, family),
    )


def subnets_across(vrf_id: UUID, span: ranges.Span, family: int) -> QuerySet[Subnet]:
    """The subnets of a VRF that have an address of the span."""
    # inet sorts all of IPv4 before IPv6, so the family need not be asked for.
    return Subnet.objects.filter(
        vrf_id=vrf_id,
        first_address__lte=ranges.text_of(span.last, family),
        last_address__gte=ranges.text_of(span.first, family),
    )


def forget(rows: QuerySet[Address]) -> None:
    """Delete rows of addresses that nobody holds; what has no row is free."""
    Drift.objects.filter(record__in=rows).update(record=None)
    rows._raw_delete(rows.db)


def forget_never_handed_out(subnet: Subnet) -> None:
    """Delete the rows of addresses a subnet keeps for itself, where nobody holds them."""
    family = ranges.family_of(subnet.network)
    for span in ranges.never_handed_out(subnet.network, subnet.gateway).values():
        rows = Address.objects.filter(subnet=subnet, address=ranges.text_of(span.first, family))
        forget(rows.filter(state__in=[AddressState.FREE, AddressState.QUARANTINED]))


def walk_again(subnet: Subnet) -> None:
    """Begin the rows of the subnet's ranges anew: what was kept back may be handed out now."""
    PoolRange.objects.filter(subnet=subnet).update(next_address=F("first"))
    Subnet.objects.filter(pk=subnet.pk).update(next_address=None)
    subnet.next_address = None


def count_again(pools: QuerySet[Pool]) -> None:
    """Store how much each pool may hand out, after its ranges or what is kept back of them changed."""
    for pool in pools.distinct().prefetch_related("ranges__subnet", "exclusions"):
        PoolUsage.objects.update_or_create(pool=pool, defaults={"total": total_of(pool)})


def total_of(pool: Pool) -> int:
    """Count what a pool may hand out in all; reads `pool.ranges`, their subnets and `pool.exclusions`."""
    size = ranges.unit_size(pool.family, pool.prefix_length)
    excluded = [span_of_range(each) for each in pool.exclusions.all()]
    return sum(ranges.count_in(spans_of(part, excluded), size) for part in pool.ranges.all())


def _exclusions_of(pool: Pool) -> list[ranges.Span]:
    return [span_of_range(each) for each in pool.exclusions.all()]


def _make_step(pool: Pool, part: PoolRange, excluded: list[ranges.Span], step: int, at: datetime) -> int:
    """Make rows of a range's next `step` addresses, and move its frontier behind them."""
    size = ranges.unit_size(pool.family, pool.prefix_length)
    begin = ranges.number_of(part.next_address or part.first)
    numbers = list(islice(ranges.numbers_in(spans_of(part, excluded, begin=begin), size), step))
    addresses = [ranges.unit_text(number, pool.family, pool.prefix_length) for number in numbers]
    made = _insert(pool, pool.vrf_id, part.subnet_id, addresses, at) if addresses else 0
    end = numbers[-1] + size if numbers else None
    inside = end is not None and end <= ranges.number_of(part.last)
    part.next_address = ranges.text_of(end, pool.family) if inside and end is not None else None
    part.save(update_fields=["next_address"])
    return made


def _insert(pool: Pool | None, vrf_id: UUID, subnet_id: UUID, addresses: list[str], at: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            MAKE_ROWS_SQL,
            {
                "tenant": current_tenant_id(),
                "at": at,
                "vrf": vrf_id,
                "subnet": subnet_id,
                "pool": pool.pk if pool else None,
                "addresses": addresses,
            },
        )
        return int(cursor.rowcount)
