"""The address plan in memory, so that each row of a file finds its place without a query of its own."""

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import Count, Max

from ipam.models import Exclusion, Pool, PoolRange, Subnet, Vrf
from ipam.models.fields import BITS
from ipam.services import ranges
from ipam.services.imports.entries import VrfName
from ipam.services.space import DEFAULT_VRF
from ispcore.tenants.fields import new_id


@dataclass(frozen=True)
class Place:
    """A subnet of the book, or one that the file brings; `pk` of the latter is nobody's yet."""

    pk: UUID
    network: str
    gateway: str | None


@dataclass(frozen=True)
class Stretch:
    """A pool's range as whole numbers, and what the pool keeps back of it."""

    first: int
    last: int
    pool: Pool
    excluded: tuple[ranges.Span, ...]

    def keeps_back(self, span: ranges.Span) -> bool:
        return any(hole.first <= span.last and span.first <= hole.last for hole in self.excluded)


@dataclass
class _Networks:
    """The subnets of one VRF and family, by mask and number."""

    by_length: dict[int, dict[int, Place]] = field(default_factory=dict)

    def add(self, place: Place) -> None:
        first = ranges.number_of(place.network)
        self.by_length.setdefault(ranges.length_of(place.network), {})[first] = place

    def around(self, address: str) -> Place | None:
        bits, number = BITS[ranges.family_of(address)], ranges.number_of(address)
        for length in sorted(self.by_length, reverse=True):
            if length <= ranges.length_of(address):
                found = self.by_length[length].get(number >> (bits - length) << (bits - length))
                if found:
                    return found
        return None

    def has_within(self, span: ranges.Span, length: int) -> bool:
        return any(
            span.first <= number <= span.last
            for longer, places in self.by_length.items()
            if longer > length
            for number in places
        )


class Book:
    """VRFs, subnets and ranges of the bound tenant, read when they changed; a check adds what the file brings."""

    def __init__(self, *, default_vrf_id: UUID | None) -> None:
        self._default_vrf_id = default_vrf_id
        self._stamp: Any = None
        self._brought: list[tuple[UUID, Place]] = []
        self._brought_vrfs: list[tuple[UUID, str, str]] = []
        self.pools: dict[str, Pool] = {}

    def refresh(self) -> None:
        """Read the plan again if it changed since."""
        stamp = [
            tuple(model.objects.aggregate(Count("pk"), Max("updated_at")).values())
            for model in (Vrf, Subnet, Pool, PoolRange, Exclusion)
        ]
        if stamp == self._stamp:
            return
        self._stamp = stamp
        self._vrfs: dict[str, UUID] = {}
        self._rds: dict[str, UUID] = {}
        self.rd_of: dict[UUID, str] = {}
        for key, name, rd in [*Vrf.objects.values_list("pk", "name", "rd"), *self._brought_vrfs]:
            self._remember_vrf(key, name, rd)
        self._networks: dict[tuple[UUID, int], _Networks] = defaultdict(_Networks)
        for vrf_id, *place in Subnet.objects.values_list("vrf_id", "pk", "network", "gateway"):
            self._add(vrf_id, Place(*place))
        for vrf_id, brought in self._brought:
            self._add(vrf_id, brought)
        self._read_ranges()

    def vrf_of(self, named: VrfName) -> UUID | None:
        """Return the VRF of that name, or route distinguisher; that of the import, or the default, for none."""
        if named.name or named.rd:
            return self._vrfs.get(named.name) or (self._rds.get(named.rd) if named.rd else None)
        return self._default_vrf_id or self._vrfs.get(DEFAULT_VRF)

    def bring_vrf(self, name: str, rd: str) -> UUID:
        """Add a VRF that a check would make."""
        key = new_id()
        self._brought_vrfs.append((key, name, rd))
        self._remember_vrf(key, name, rd)
        return key

    def bring_subnet(self, vrf_id: UUID, network: str) -> None:
        """Add a subnet that a check would make."""
        place = Place(new_id(), network, None)
        self._brought.append((vrf_id, place))
        self._add(vrf_id, place)

    def subnet_at(self, vrf_id: UUID, network: str) -> Place | None:
        """Return the subnet of exactly this network."""
        networks = self._networks[vrf_id, ranges.family_of(network)].by_length
        return networks.get(ranges.length_of(network), {}).get(ranges.number_of(network))

    def subnet_around(self, vrf_id: UUID, address: str) -> Place | None:
        """Return the smallest subnet in which an address or prefix lies, or that it is."""
        return self._networks[vrf_id, ranges.family_of(address)].around(address)

    def has_subnets_within(self, vrf_id: UUID, prefix: str) -> bool:
        networks = self._networks[vrf_id, ranges.family_of(prefix)]
        return networks.has_within(ranges.span_of(prefix), ranges.length_of(prefix))

    def range_around(self, vrf_id: UUID, address: str) -> Stretch | None:
        """Return the pool's range that holds any of an address or prefix."""
        stretches = self._stretches.get((vrf_id, ranges.family_of(address)), [])
        span = ranges.span_of(address)
        place = bisect_right(stretches, span.last, key=lambda each: each.first) - 1
        return stretches[place] if place >= 0 and stretches[place].last >= span.first else None

    def _remember_vrf(self, key: UUID, name: str, rd: str) -> None:
        self._vrfs[name] = key
        self.rd_of[key] = rd
        if rd:
            self._rds[rd] = key

    def _add(self, vrf_id: UUID, place: Place) -> None:
        self._networks[vrf_id, ranges.family_of(place.network)].add(place)

    def _read_ranges(self) -> None:
        self.pools = {pool.name: pool for pool in Pool.objects.all()}
        by_key = {pool.pk: pool for pool in self.pools.values()}
        excluded: dict[UUID, list[ranges.Span]] = defaultdict(list)
        for pool_id, first, last in Exclusion.objects.values_list("pool_id", "first", "last"):
            pool = by_key[pool_id]
            hole = ranges.Span(ranges.number_of(first), ranges.number_of(last))
            excluded[pool_id].append(ranges.widened(hole, ranges.unit_size(pool.family, pool.prefix_length)))
        self._stretches: dict[tuple[UUID, int], list[Stretch]] = defaultdict(list)
        for part in PoolRange.objects.values_list("vrf_id", "family", "first", "last", "pool_id"):
            vrf_id, family, first, last, pool_id = part
            self._stretches[vrf_id, family].append(
                Stretch(
                    ranges.number_of(first), ranges.number_of(last), by_key[pool_id], tuple(excluded[pool_id])
                )
            )
        for stretches in self._stretches.values():
            stretches.sort(key=lambda each: each.first)
