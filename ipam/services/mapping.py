"""A subnet as a picture: what is used, free and kept back, run by run."""

from dataclasses import dataclass

from ipam.models import Address, AddressState, Exclusion, Subnet
from ipam.services import layout, ranges
from ispcore.errors import DomainError

MOST_RUNS = 1024
KEPT, WITHIN = "kept", "subnet"
RUN_STATES = (*AddressState.values, KEPT, WITHIN)


class OutsideSubnet(DomainError):
    code = "address_outside"
    message = "{address} lies outside of {network}."
    status = 422
    field = "from"


@dataclass(frozen=True)
class Run:
    """Addresses beside one another in one state; `kept` is never handed out, `subnet` lies in one within."""

    first: str
    last: str
    state: str


@dataclass(frozen=True)
class Map:
    """A subnet, or a part of it; `next` is where the next part begins."""

    network: str
    first: str
    last: str
    next: str | None
    runs: list[Run]


def networks_around(address: str) -> list[str]:
    """List every network in which an address or network lies, itself included."""
    return ranges.containers_of(address)


def map_of(subnet: Subnet, *, begin: str | None = None) -> Map:
    """Draw a subnet from `begin` on, in at most MOST_RUNS runs; a constant number of statements.

    Raises OutsideSubnet.
    """
    family, whole = ranges.family_of(subnet.network), ranges.span_of(subnet.network)
    first = whole.first
    if begin:
        first = ranges.number_of(begin)
        if ranges.family_of(begin) != family or not whole.first <= first <= whole.last:
            raise OutsideSubnet(address=begin, network=subnet.network)
    spans = _spans_in(subnet, ranges.Span(first, whole.last), family)
    runs: list[tuple[ranges.Span, str]] = []
    at = first
    for span, state in spans:
        if len(runs) >= MOST_RUNS:
            break
        if span.last < at:
            continue  # Kept back and in a row as well.
        if span.first > at:
            _add(runs, ranges.Span(at, span.first - 1), AddressState.FREE)
        _add(runs, ranges.Span(max(span.first, at), span.last), state)
        at = span.last + 1
    else:
        if at <= whole.last:
            _add(runs, ranges.Span(at, whole.last), AddressState.FREE)
            at = whole.last + 1
    return Map(
        network=subnet.network,
        first=ranges.text_of(first, family),
        last=ranges.text_of(at - 1, family),
        next=ranges.text_of(at, family) if at <= whole.last else None,
        runs=[
            Run(ranges.text_of(span.first, family), ranges.text_of(span.last, family), state)
            for span, state in runs
        ],
    )


def _spans_in(subnet: Subnet, part: ranges.Span, family: int) -> list[tuple[ranges.Span, str]]:
    """List what is not free in a part of a subnet, in order; enough for MOST_RUNS runs."""
    rows = Address.objects.filter(vrf_id=subnet.vrf_id, subnet=subnet).exclude(state=AddressState.FREE)
    held = layout.within(rows, part, family).order_by("address").values_list("address", "state")
    spans = [(ranges.span_of(address), state) for address, state in held[: MOST_RUNS * 4]]
    end = spans[-1][0].last if len(spans) == MOST_RUNS * 4 else part.last
    kept = [(span, KEPT) for span in ranges.never_handed_out(subnet.network, subnet.gateway).values()]
    excluded = Exclusion.objects.filter(pool__ranges__subnet=subnet).distinct()
    kept += [(layout.span_of_range(each), KEPT) for each in excluded]
    kept += [(ranges.span_of(child.network), WITHIN) for child in subnet.children.all()]
    clipped = [
        (ranges.Span(max(span.first, part.first), min(span.last, part.last)), state)
        for span, state in [*spans, *kept]
        if span.last >= part.first and span.first <= min(part.last, end)
    ]
    return sorted(clipped)


def _add(runs: list[tuple[ranges.Span, str]], span: ranges.Span, state: str) -> None:
    """Add a run, or lengthen the one before it when it is in the same state."""
    if runs and runs[-1][1] == state and runs[-1][0].last + 1 == span.first:
        runs[-1] = (ranges.Span(runs[-1][0].first, span.last), state)
    else:
        runs.append((span, state))
