"""The picture of a subnet: a cell an address, or a delegated prefix, or a block of 256 of them.

Whatever the size of a network, a page reads the rows of what it draws and no others.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import netaddr
from django.db.models import Count, F, Func, Q, QuerySet, Value
from django.urls import reverse

from ipam.admin.words import figures, holder_words
from ipam.models import Address, AddressState, Exclusion, PoolRange, Subnet
from ipam.models.fields import BITS, CidrField
from ipam.services import ranges
from ipam.services.ranges import Span

STEP = 8  # Bits from one level to the next: at most 256 cells.
MOST = 1 << STEP
COLUMNS = 16
NEVER, OUTSIDE = "never", "outside"
WORDS = {
    AddressState.FREE.value: "Free",
    AddressState.ASSIGNED.value: "Assigned",
    AddressState.RESERVED.value: "Reserved",
    AddressState.QUARANTINED.value: "Resting",
    NEVER: "Never handed out",
    OUTSIDE: "Free, in no pool",
}


@dataclass
class Cell:
    """One square: `kind` says how it looks, `says` what it is in words."""

    label: str
    name: str
    kind: str
    says: str
    url: str = ""
    percent: int | None = None
    is_subnet: bool = False
    counts: dict[str, int] = field(default_factory=dict)


@dataclass
class Map:
    """What is drawn of `network`, the way there, and how many of each kind there are."""

    network: str
    cells: list[Cell]
    crumbs: list[tuple[str, str]]
    legend: list[tuple[str, str, int]]
    of_blocks: bool = False
    note: str = ""
    columns: int = COLUMNS

    @property
    def has_subnets(self) -> bool:
        return any(cell.is_subnet for cell in self.cells)


def draw(subnet: Subnet, at: str = "") -> Map:
    """Draw a subnet, or the part of it that `at` names; what is no part of it draws the whole."""
    family = ranges.family_of(subnet.network)
    unit = _unit_of(subnet, family)
    network = _part_of(subnet, at) or subnet.network
    length = ranges.length_of(network)
    crumbs = _crumbs(subnet, network, unit)
    if unit - length <= STEP:
        return _cells(subnet, network, max(unit, length), crumbs)
    if family == 6 and unit == BITS[6]:
        return _used_parts(subnet, network, crumbs)
    return _blocks(subnet, network, unit, crumbs)


def _unit_of(subnet: Subnet, family: int) -> int:
    """Return the length of what a cell is: an address, or in IPv6 the prefixes that its pools delegate."""
    if family == 4:
        return BITS[4]
    lengths = _ranges_in(subnet, ranges.span_of(subnet.network)).values_list("prefix_length", flat=True)
    prefixes = [length for length in lengths.order_by().distinct() if length < BITS[6]]
    return max(prefixes, default=BITS[6])


def _part_of(subnet: Subnet, at: str) -> str | None:
    try:
        part = netaddr.IPNetwork(at).cidr if at else None
    except (netaddr.AddrFormatError, ValueError):
        return None
    whole = netaddr.IPNetwork(subnet.network)
    if part is None or part.version != whole.version or part not in whole:
        return None
    return str(part)


def _crumbs(subnet: Subnet, network: str, unit: int) -> list[tuple[str, str]]:
    """Lead back from a part to the subnet, level by level; empty on the subnet itself."""
    if network == subnet.network:
        return []
    page = reverse("admin:ipam_subnet_change", args=[subnet.pk])
    family, length = ranges.family_of(network), ranges.length_of(network)
    found = [(subnet.network, f"{page}#map")]
    if family == 6 and unit == BITS[6]:
        return found
    around = ranges.length_of(subnet.network)
    while (around := _next_length(around, unit)) < length:
        size = ranges.unit_size(family, around)
        first = ranges.number_of(network) // size * size
        block = f"{ranges.text_of(first, family)}/{around}"
        found.append((block, f"{page}?at={block}#map"))
        if unit - around <= STEP:
            break
    return found


def _next_length(length: int, unit: int) -> int:
    """Return the length of the blocks a network is drawn in: whole steps above the unit."""
    levels = -(-(unit - length) // STEP)
    return unit - STEP * max(0, levels - 1)


def _rows(subnet: Subnet, span: Span, length: int) -> QuerySet[Address]:
    """Return the addresses of a part, those of subnets within included."""
    family = ranges.family_of(subnet.network)
    # A network sorts before all that lies in it, its last address after.
    first, last = ranges.text_of(span.first, family), ranges.text_of(span.last, family)
    return Address.objects.filter(vrf=subnet.vrf_id, address__gte=f"{first}/{length}", address__lte=last)


def _ranges_in(subnet: Subnet, span: Span) -> QuerySet[PoolRange]:
    family = ranges.family_of(subnet.network)
    return PoolRange.objects.filter(
        vrf=subnet.vrf_id,
        first__lte=ranges.text_of(span.last, family),
        last__gte=ranges.text_of(span.first, family),
    )


def _subnets_in(subnet: Subnet, span: Span) -> list[Subnet]:
    """Return the subnet and those within it that meet a part, the outer before the inner."""
    family = ranges.family_of(subnet.network)
    found = Subnet.objects.filter(
        vrf=subnet.vrf_id,
        first_address__lte=ranges.text_of(span.last, family),
        last_address__gte=ranges.text_of(span.first, family),
    )
    inside = [
        each
        for each in found
        if each.pk == subnet.pk or netaddr.IPNetwork(each.network) in netaddr.IPNetwork(subnet.network)
    ]
    return sorted(inside, key=lambda each: ranges.length_of(each.network))


def _cells(subnet: Subnet, network: str, unit: int, crumbs: list[tuple[str, str]]) -> Map:
    """Draw each address or prefix of at most 256."""
    family, span = ranges.family_of(network), ranges.span_of(network)
    size = ranges.unit_size(family, unit)
    cells = [
        Cell(_label(number, family, size), ranges.unit_text(number, family, unit), OUTSIDE, WORDS[OUTSIDE])
        for number in range(span.first, span.last + 1, size)
    ]

    def mark(part: Span, kind: str, says: str, url: str = "") -> None:
        begin, end = max(part.first, span.first), min(part.last, span.last)
        for place in range((begin - span.first) // size, (end - span.first) // size + 1):
            cells[place].kind, cells[place].says, cells[place].url = kind, says, url

    _mark_pools(subnet, span, mark)
    _mark_kept(subnet, span, mark, is_prefix=size > 1)
    rows = _rows(subnet, span, ranges.length_of(network)).select_related("subscription__subscriber", "pool")
    for row in rows.order_by("address")[: 2 * MOST]:
        url = reverse("admin:ipam_address_change", args=[row.pk])
        part = ranges.span_of(row.address)
        if row.state == AddressState.FREE:
            kept = cells[max(0, (part.first - span.first) // size)]
            if kept.kind != NEVER:
                mark(part, kept.kind, kept.says, url)
        else:
            mark(part, row.state, holder_words(row), url)
    found = {kind: sum(cell.kind == kind for cell in cells) for kind in WORDS}
    legend = [(kind, WORDS[kind], count) for kind, count in found.items() if count]
    return Map(network, cells, crumbs, legend, columns=min(COLUMNS, len(cells)))


def _mark_pools(subnet: Subnet, span: Span, mark: Callable[..., None]) -> None:
    found = list(_ranges_in(subnet, span).select_related("pool"))
    for each in found:
        part = Span(ranges.number_of(each.first), ranges.number_of(each.last))
        mark(part, AddressState.FREE.value, f"Free, in the pool {each.pool.name}")
    for out in Exclusion.objects.filter(pool__in={each.pool_id for each in found}).select_related("pool"):
        part = Span(ranges.number_of(out.first), ranges.number_of(out.last))
        if ranges.family_of(out.first) == ranges.family_of(subnet.network) and _meets(part, span):
            why = f": {out.reason}" if out.reason else ""
            mark(part, NEVER, f"Excluded from the pool {out.pool.name}{why}")


def _mark_kept(subnet: Subnet, span: Span, mark: Callable[..., None], *, is_prefix: bool) -> None:
    """Mark what the smallest subnet around each address keeps for itself."""
    if is_prefix:
        return
    subnets = _subnets_in(subnet, span)
    for place, each in enumerate(subnets):
        for name, part in ranges.never_handed_out(each.network, each.gateway).items():
            inner = (ranges.span_of(other.network) for other in subnets[place + 1 :])
            if _meets(part, span) and not any(_meets(part, other) for other in inner):
                mark(part, NEVER, f"{name[:1].upper()}{name[1:]} of {each.network}: never handed out")


def _meets(one: Span, other: Span) -> bool:
    return one.first <= other.last and other.first <= one.last


def _blocks(subnet: Subnet, network: str, unit: int, crumbs: list[tuple[str, str]]) -> Map:
    """Draw at most 256 blocks, each as full as it is."""
    family, span = ranges.family_of(network), ranges.span_of(network)
    length = _next_length(ranges.length_of(network), unit)
    counts = _counted(_rows(subnet, span, ranges.length_of(network)), length)
    size = ranges.unit_size(family, length)
    within = [each for each in _subnets_in(subnet, span) if each.pk != subnet.pk]
    each_holds = 1 << (unit - length)
    cells = []
    for number in range(span.first, span.last + 1, size):
        name = f"{ranges.text_of(number, family)}/{length}"
        cells.append(
            _block(
                subnet,
                name,
                _label(number, family, size),
                counts.get(name, {}),
                each_holds,
                _met(within, name),
            )
        )
    units = "addresses" if unit == BITS[family] else f"prefixes of /{unit}"
    note = f"One square is a /{length}: {figures(each_holds)} {units}. Open one to see what is in it."
    columns = min(COLUMNS, len(cells))
    return Map(network, cells, crumbs, _legend(cells), of_blocks=True, note=note, columns=columns)


def _used_parts(subnet: Subnet, network: str, crumbs: list[tuple[str, str]]) -> Map:
    """Draw of a network with more addresses than can be drawn those blocks of 256 that hold something."""
    family, span = ranges.family_of(network), ranges.span_of(network)
    length = BITS[family] - STEP
    counts = _counted(_rows(subnet, span, ranges.length_of(network)), length, most=MOST + 1)
    shown = sorted(counts, key=ranges.number_of)[:MOST]
    within = [each for each in _subnets_in(subnet, span) if each.pk != subnet.pk]
    cells = [
        _block(subnet, name, f"…{name.partition('/')[0][-4:]}", counts[name], MOST, _met(within, name))
        for name in shown
    ]
    note = f"It holds too many addresses to draw: the blocks of {MOST} in which something is used are shown."
    if not cells:
        note = "It holds too many addresses to draw, and none of its own is used yet."
    elif len(counts) > MOST:
        note = f"{note} These are the first {MOST} of them."
    return Map(network, cells, crumbs, _legend(cells), of_blocks=True, note=note, columns=8)


def _counted(rows: QuerySet[Address], length: int, most: int | None = None) -> dict[str, dict[str, int]]:
    block = Func(
        Func(F("address"), Value(length), function="set_masklen"),
        function="network",
        output_field=CidrField(),
    )
    states = [
        state.value for state in (AddressState.ASSIGNED, AddressState.RESERVED, AddressState.QUARANTINED)
    ]
    found = (
        rows.filter(state__in=states)
        .annotate(block=block)
        .order_by("block")
        .values("block")
        .annotate(**{state: Count("pk", filter=Q(state=state)) for state in states})
        .values_list("block", *states)
    )
    return {
        block: dict(zip(states, counts, strict=True)) for block, *counts in (found[:most] if most else found)
    }


def _block(
    subnet: Subnet, name: str, label: str, counts: dict[str, int], holds: int, within: list[Subnet]
) -> Cell:
    used = sum(counts.values())
    says = (
        ", ".join(f"{figures(n)} {WORDS[state].lower()}" for state, n in counts.items() if n)
        or "nothing used"
    )
    page = reverse("admin:ipam_subnet_change", args=[subnet.pk])
    url = f"{page}?at={name}#map"
    if within:
        says = f"{says}; {within[0] if len(within) == 1 else f'{len(within)} subnets'}"
        if within[0].network == name:
            url = reverse("admin:ipam_subnet_change", args=[within[0].pk])
    percent = max(1, round(100 * used / holds)) if used else 0
    return Cell(label, name, _fullness(percent), f"{percent} %: {says}", url, percent, bool(within), counts)


def _fullness(percent: int) -> str:
    if not percent:
        return "empty"
    return "some" if percent < 80 else "much" if percent < 95 else "most"


FULLNESS = {
    "empty": "Nothing used",
    "some": "Less than 80 % used",
    "much": "80 % or more",
    "most": "95 % or more",
}


def _legend(cells: Iterable[Cell]) -> list[tuple[str, str, int]]:
    kinds = [cell.kind for cell in cells]
    return [(kind, words, kinds.count(kind)) for kind, words in FULLNESS.items() if kind in kinds]


def _met(within: list[Subnet], name: str) -> list[Subnet]:
    """Return the subnets that a block lies in, or that lie in it, the block itself first."""
    span = ranges.span_of(name)
    found = [each for each in within if _meets(ranges.span_of(each.network), span)]
    return sorted(found, key=lambda each: each.network != name)


def _label(number: int, family: int, size: int) -> str:
    """Write what tells a cell from its neighbours: a part of an IPv4 address, two digits of an IPv6 one."""
    place = number // size
    if family == 4:
        shift = max(0, (size.bit_length() - 1) // STEP * STEP)
        return str(number >> shift & 255)
    return f"{place & 255:02x}"
