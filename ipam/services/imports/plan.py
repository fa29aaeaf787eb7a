"""What becomes of the VRFs and prefixes of a NetBox export."""

from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction

from ipam.models import Vrf
from ipam.models.fields import canonical
from ipam.models.space import ROUTE_DISTINGUISHER
from ipam.services import layout, ranges, space
from ipam.services.imports.book import Book
from ipam.services.imports.entries import SubnetEntry, VrfEntry, VrfName, network_of
from ispcore.errors import DomainError
from ispcore.files.seen import SeenClaims

CREATED, SKIPPED, BAD = "created", "skipped", "bad"


def take_vrf(entry: VrfEntry, *, book: Book, dry: bool) -> None:
    """Add a VRF that is not there; one of the same name or route distinguisher is the same."""
    if not entry.problem and entry.rd:
        try:
            ROUTE_DISTINGUISHER(entry.rd)
        except ValidationError as error:
            entry.refuse("rd", error.messages[0])
    found = book.vrf_of(VrfName(entry.name, entry.rd)) if not entry.problem else None
    if found is not None and entry.rd and book.rd_of[found] not in ("", entry.rd):
        entry.refuse("rd", f"The VRF “{entry.name}” has the route distinguisher {book.rd_of[found]} here.")
    if entry.problem:
        entry.outcome = BAD
    elif found is not None:
        entry.outcome = SKIPPED
    else:
        entry.outcome = CREATED
        if dry:
            book.bring_vrf(entry.name, entry.rd)
        else:
            Vrf.objects.create(name=entry.name, rd=entry.rd, description=entry.description)
            book.refresh()


def take_subnet(entry: SubnetEntry, *, book: Book, seen: SeenClaims, dry: bool) -> None:
    """Add a subnet that is not there; one that is stays as it is. Its place in the tree is found.

    In the caller's transaction; a refusal costs this row only.
    """
    vrf_id = _vrf_of(entry, book)
    if vrf_id is None:
        entry.outcome = BAD
        return
    claim = [("network", f"{vrf_id} {entry.network}")]
    if (found := seen.first_of(claim)) is not None:
        entry.refuse("prefix", f"Object {found[1]} of this file is the same prefix.")
        entry.outcome = BAD
        return
    seen.add(claim, entry.number)
    if book.subnet_at(vrf_id, entry.network):
        entry.outcome = SKIPPED
        return
    try:
        if dry:
            _refuse_cut(vrf_id, entry.network)
            book.bring_subnet(vrf_id, entry.network)
        else:
            with transaction.atomic():
                space.create_subnet(vrf_id=vrf_id, network=entry.network, **entry.details)
    except DomainError as error:
        entry.refuse("prefix", str(error)[:300])
        entry.outcome = BAD
    else:
        entry.outcome = CREATED


def _vrf_of(entry: SubnetEntry, book: Book) -> UUID | None:
    """Check what a prefix names, and find its VRF; None when it is bad."""
    _set_network(entry)
    vrf_id = book.vrf_of(entry.vrf)
    if vrf_id is None:
        named = entry.vrf.name or entry.vrf.rd
        entry.refuse("vrf", f"There is no VRF “{named[:60]}”, and it is not in the file.")
    return None if entry.problem else vrf_id


def _set_network(entry: SubnetEntry) -> None:
    if entry.problem:
        return
    try:
        network = canonical(entry.network)
    except ValueError as error:
        entry.refuse("prefix", str(error))
        return
    meant = network_of(network)
    if ranges.number_of(network) != ranges.number_of(meant):
        entry.refuse("prefix", f"{network} has host bits set: is {meant} meant?")
    entry.network = meant


def _refuse_cut(vrf_id: UUID, network: str) -> None:
    """Raise SubnetCutsRange as the service would."""
    span: Any = ranges.span_of(network)
    for held in layout.ranges_across(vrf_id, span, ranges.family_of(network)):
        if ranges.number_of(held.first) < span.first or ranges.number_of(held.last) > span.last:
            raise space.SubnetCutsRange(network=network, range=held, pool=held.pool)
