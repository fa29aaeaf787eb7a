"""Arithmetic of addresses: whole numbers between first and last, both included."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import netaddr

from ipam.models.fields import BITS

SHORTEST_WITHOUT_BROADCAST = 31  # RFC 3021: both addresses of a /31 are hosts.
SHORTEST_WITHOUT_ANYCAST = 127  # RFC 6164: so are those of a /127.


class Span(NamedTuple):
    """Addresses from `first` to `last`, both included, as whole numbers."""

    first: int
    last: int


def number_of(address: str) -> int:
    """Return an address, or the first of a prefix, as a whole number."""
    return int(netaddr.IPAddress(address.partition("/")[0]))


def text_of(number: int, family: int) -> str:
    return str(netaddr.IPAddress(number, family))


def unit_text(number: int, family: int, length: int) -> str:
    """Write an address, or with a length below that of an address a prefix."""
    text = text_of(number, family)
    return text if length == BITS[family] else f"{text}/{length}"


def unit_size(family: int, length: int) -> int:
    """Return how many addresses a prefix of `length` holds: 1 for an address."""
    return 1 << (BITS[family] - length)


def family_of(address: str) -> int:
    return 6 if ":" in address else 4


def length_of(address: str) -> int:
    """Return the mask's length: that of an address when there is no mask."""
    mask = address.partition("/")[2]
    return int(mask) if mask else BITS[family_of(address)]


def span_of(address: str) -> Span:
    """Return what an address, or a prefix, covers."""
    first = number_of(address)
    return Span(first, first + unit_size(family_of(address), length_of(address)) - 1)


def containers_of(address: str) -> list[str]:
    """List the networks an address or prefix lies in, itself as a network included, the largest first."""
    family, number = family_of(address), number_of(address)
    return [
        f"{text_of(number >> (BITS[family] - length) << (BITS[family] - length), family)}/{length}"
        for length in range(length_of(address) + 1)
    ]


def without(spans: Iterable[Span], holes: Iterable[Span]) -> list[Span]:
    """Return what is left of `spans` when the holes are cut out, in order."""
    left = sorted(spans)
    for hole in holes:
        kept = []
        for span in left:
            if hole.last < span.first or hole.first > span.last:
                kept.append(span)
                continue
            if span.first < hole.first:
                kept.append(Span(span.first, hole.first - 1))
            if hole.last < span.last:
                kept.append(Span(hole.last + 1, span.last))
        left = kept
    return left


def widened(span: Span, size: int) -> Span:
    """Widen a span to whole prefixes of `size` addresses."""
    return Span(span.first // size * size, span.last // size * size + size - 1)


def never_handed_out(network: str, gateway: str | None) -> dict[str, Span]:
    """Return what a subnet keeps for itself, by its name in the field.

    Network and broadcast address (RFC 1122 §3.2.1.3) unless it is a /31 or /32 (RFC 3021), the subnet-router
    anycast address of IPv6 (RFC 4291 §2.6.1) unless a /127 or /128 (RFC 6164), and the gateway.
    """
    family, length, span = family_of(network), length_of(network), span_of(network)
    kept = {}
    if family == 4 and length < SHORTEST_WITHOUT_BROADCAST:
        kept["network address"] = Span(span.first, span.first)
        kept["broadcast address"] = Span(span.last, span.last)
    if family == 6 and length < SHORTEST_WITHOUT_ANYCAST:
        kept["subnet-router anycast address"] = Span(span.first, span.first)
    if gateway:
        kept["gateway"] = span_of(gateway)
    return kept


def numbers_in(spans: Iterable[Span], step: int) -> Iterator[int]:
    """Walk the prefixes of `step` addresses that begin in `spans`; `step` 1 walks addresses."""
    for span in spans:
        yield from range(span.first, span.last + 1, step)


def count_in(spans: Iterable[Span], step: int) -> int:
    return sum((span.last - span.first + 1) // step for span in spans)
