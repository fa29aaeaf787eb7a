"""What a row of a file asks for, whatever the file's form, and how cells become it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ipam.models import Address, AddressState, Subnet, Vrf
from ipam.models.fields import canonical
from ipam.services import ranges
from ispcore.files.tables import RawRow, Shape, WrongColumns

MAX_SHOWN = 200  # Characters kept of a cell of a bad row.

# What a column may be called -> what it holds. The first ones are those of our own export.
COLUMNS = {
    "address": "address", "ip": "address", "ip address": "address", "prefix": "address", "ip_address": "address",
    "vrf": "vrf", "vrf name": "vrf", "rd": "vrf", "route distinguisher": "vrf",
    "pool": "pool", "pool name": "pool",
    "service": "service", "service number": "service", "isp reference": "service", "reference": "service",
    "isp_reference": "service", "service_number": "service", "subscription": "service",
    "assigned to": "assigned_to", "assigned_to": "assigned_to", "holder": "assigned_to", "device": "assigned_to",
    "kept back for": "reserved_for", "reserved for": "reserved_for", "reserved_for": "reserved_for",
    "hostname": "hostname", "host name": "hostname", "dns name": "hostname", "dns_name": "hostname",
    "note": "note", "notes": "note", "description": "note", "comments": "note",
    "state": "state", "status": "state",
}  # fmt: skip
STATES = {
    "free": AddressState.FREE, "available": AddressState.FREE, "resting": AddressState.FREE,
    "quarantined": AddressState.FREE,
    "reserved": AddressState.RESERVED, "kept back": AddressState.RESERVED, "deprecated": AddressState.RESERVED,
    "assigned": AddressState.ASSIGNED, "active": AddressState.ASSIGNED, "used": AddressState.ASSIGNED,
    "in use": AddressState.ASSIGNED, "dhcp": AddressState.ASSIGNED, "slaac": AddressState.ASSIGNED,
}  # fmt: skip
MOST = {
    each.name: each.max_length
    for model in (Vrf, Subnet, Address)
    for each in model._meta.local_fields
    if each.max_length
}


class VrfName(NamedTuple):
    """How a file names a VRF; both empty: that of the import."""

    name: str = ""
    rd: str = ""


NO_NAME = VrfName()


@dataclass
class Entry:
    """One row: its number as a spreadsheet counts, or the object's in JSON, and why it is bad."""

    number: int
    values: Mapping[str, str] = field(default_factory=dict)
    field_name: str = ""
    problem: str = ""
    outcome: str = ""

    def refuse(self, field_name: str, problem: str) -> None:
        """Say what is wrong; the first thing said stays."""
        if not self.problem:
            self.field_name, self.problem = field_name, problem


@dataclass
class VrfEntry(Entry):
    name: str = ""
    rd: str = ""
    description: str = ""


@dataclass
class SubnetEntry(Entry):
    vrf: VrfName = NO_NAME
    network: str = ""
    details: dict[str, Any] = field(default_factory=dict)


@dataclass
class AddressEntry(Entry):
    vrf: VrfName = NO_NAME
    address: str = ""
    pool: str = ""
    service: str = ""
    assigned_to: str = ""
    reserved_for: str = ""
    hostname: str = ""
    note: str = ""
    state: str = ""


def columns_of(shape: Shape) -> list[str]:
    """Return what each column holds, empty for one that is left out. Raises WrongColumns."""
    found = [COLUMNS.get(" ".join(name.casefold().split()), "") for name in shape.columns]
    if "address" not in found:
        raise WrongColumns(why="No column is called “address”: the first row must name the columns.")
    for position, name in enumerate(found):
        if name and name in found[:position]:
            first = shape.columns[found.index(name)]
            raise WrongColumns(why=f"The columns “{first}” and “{shape.columns[position]}” both hold {name}.")
    return found


def entries_of_rows(rows: Iterable[RawRow], shape: Shape) -> Iterator[AddressEntry]:
    """Read the rows of a table, each with what is wrong with it."""
    holds = columns_of(shape)
    for row in rows:
        shown = {name: cell[:MAX_SHOWN] for name, cell in zip(shape.columns, row.cells, strict=True) if cell}
        entry = AddressEntry(row.number, shown)
        if row.problem:
            entry.refuse("", row.problem)
        else:
            _read_cells(entry, dict(zip(holds, (cell.strip() for cell in row.cells), strict=True)))
        yield entry


def _read_cells(entry: AddressEntry, cells: Mapping[str, str]) -> None:
    entry.vrf = VrfName(name=cells.get("vrf", ""), rd=cells.get("vrf", ""))
    entry.pool, entry.service = cells.get("pool", ""), cells.get("service", "")
    for name in ("assigned_to", "reserved_for", "hostname", "note"):
        set_text(entry, name, cells.get(name, ""))
    set_address(entry, cells.get("address", ""))
    given = cells.get("state", "")
    entry.state = STATES.get(given.casefold(), "") if given else _state_meant(entry)
    if not entry.state:
        entry.refuse("state", f"{given[:40]!r} is no state: give assigned, reserved or free.")
    check_holder(entry)


def _state_meant(entry: AddressEntry) -> str:
    """A row that names no holder is in use by somebody: it is kept back, and nobody else gets it."""
    return AddressState.ASSIGNED if entry.service or entry.assigned_to else AddressState.RESERVED


def check_holder(entry: AddressEntry) -> None:
    """Refuse a holder that does not fit the state."""
    if entry.state == AddressState.ASSIGNED:
        if bool(entry.service) == bool(entry.assigned_to):
            entry.refuse("service", "Give the service that holds it, or in `assigned to` what else does.")
    elif entry.service or entry.assigned_to:
        entry.refuse("state", f"An address that is {entry.state} has no holder.")
    if entry.state != AddressState.RESERVED and entry.reserved_for:
        entry.refuse("reserved_for", "Only an address that is reserved is kept back for something.")


def set_address(entry: AddressEntry, text: str) -> None:
    """Read an address. With a mask and host bits it is one of that network: an interface's notation."""
    if not text:
        entry.refuse("address", "An address is needed.")
        return
    try:
        address = canonical(text)
    except ValueError as error:
        entry.refuse("address", str(error))
        return
    has_host_bits = "/" in address and ranges.number_of(address) != ranges.span_of(network_of(address)).first
    entry.address = address.partition("/")[0] if has_host_bits else address


def network_of(address: str) -> str:
    """Return the network an address with a mask lies in."""
    family, length = ranges.family_of(address), ranges.length_of(address)
    size = ranges.unit_size(family, length)
    return f"{ranges.text_of(ranges.number_of(address) // size * size, family)}/{length}"


def set_text(entry: Entry, name: str, text: str, *, model_field: str = "") -> None:
    """Set a text that fits its column."""
    most = MOST[model_field or name]
    if len(text) > most:
        entry.refuse(name, f"At most {most} characters.")
    else:
        setattr(entry, name, text)
