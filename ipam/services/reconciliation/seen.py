"""What was seen in use: live sessions that upper apps tell of, and ARP and DHCP lists out of routers and servers."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from ipam.models.fields import BITS, canonical
from ipam.services import ranges
from ispcore.files.tables import RawRow, Shape, WrongColumns

MAX_SEEN_AS = 120

# What a column may be called, without spaces, hyphens and underscores -> what it holds. From: Kea's lease files
# (address, hwaddr, duid, expire, hostname, state, prefix_len), RouterOS (address, mac-address, host-name, status,
# last-seen), Windows Server's Export-Csv of leases (IPAddress, ClientId, HostName, AddressState), `show ip arp` as
# ntc-templates names it (ip_address, mac_address), OPNsense and pfSense (IP, MAC, Hostname). Unverified: but for
# ntc-templates', the names were not compared with files of those systems.
COLUMNS = {
    "address": "address", "ip": "address", "ipaddress": "address", "ipaddr": "address", "ipv4address": "address",
    "ipv6address": "address", "internetaddress": "address", "activeaddress": "address",
    "mac": "mac", "macaddress": "mac", "hwaddr": "mac", "hwaddress": "mac", "hardwareaddr": "mac",
    "hardwareaddress": "mac", "physicaladdress": "mac", "linklayeraddress": "mac", "lladdr": "mac",
    "activemacaddress": "mac",
    "clientid": "client", "duid": "client",
    "hostname": "name", "clienthostname": "name", "username": "name",
    "service": "service", "servicenumber": "service", "ispreference": "service", "subscription": "service",
    "seenat": "seen_at", "lastseenat": "seen_at", "timestamp": "seen_at", "cltt": "seen_at",
    "state": "state", "status": "state", "addressstate": "state", "bindingstate": "state",
    "leasetype": "lease_type", "prefixlen": "prefix_len",
}  # fmt: skip
# A row in such a state speaks of nobody: Kea's 1 and 2 are declined and reclaimed, RouterOS' waiting lease was never
# taken (both unverified), an incomplete or failed neighbour did not answer.
UNUSED = frozenset(
    {"1", "2", "declined", "expired", "expired-reclaimed", "free", "released", "waiting", "incomplete", "failed",
     "inactivereservation", "abandoned", "backup"}
)  # fmt: skip
KEA_PREFIX = "2"  # Kea's lease_type of a delegated prefix (IA_PD).


@dataclass(frozen=True)
class SeenAddress:
    """An address, or a prefix with its mask, that somebody uses.

    Of the user is known `subscription_id`, or in `service` its number or ISP reference, or only `seen_as`: a user
    name or a MAC address.
    """

    address: str
    subscription_id: UUID | None = None
    service: str = ""
    seen_as: str = ""
    seen_at: datetime | None = None


# A source tells which addresses of a VRF live sessions use now. Runs in the tenant's context.
SessionSource = Callable[[UUID], Iterable[SeenAddress]]

_sources: dict[str, SessionSource] = {}


def register_session_source(name: str, source: SessionSource) -> None:
    """Add a source of live sessions; the same name replaces."""
    _sources[name] = source


def remove_session_source(name: str) -> None:
    _sources.pop(name, None)


def seen_in_sessions(vrf_id: UUID) -> Iterator[SeenAddress]:
    """Give what all sources see in a VRF."""
    for source in _sources.values():
        yield from source(vrf_id)


def columns_of(shape: Shape) -> list[str]:
    """Return what each column holds, empty for one that is left out. Raises WrongColumns."""
    found = [COLUMNS.get(re.sub(r"[\s_-]", "", name.casefold()), "") for name in shape.columns]
    if "address" not in found:
        known = "address, ip, ip_address, ip-address"
        raise WrongColumns(why=f"No column holds addresses. It may be called: {known}.")
    return [name if name not in found[:place] else "" for place, name in enumerate(found)]


def seen_in_rows(rows: Iterable[RawRow], shape: Shape) -> Iterator[SeenAddress | None]:
    """Read a list row by row; None for one that holds no address. Rows of nobody's use are left out."""
    holds = columns_of(shape)
    for row in rows:
        if row.problem:
            yield None
            continue
        cells = {name: cell.strip() for name, cell in zip(holds, row.cells, strict=True) if name}
        if cells.get("state", "").casefold() in UNUSED:
            continue
        yield _seen(cells)


def _seen(cells: dict[str, str]) -> SeenAddress | None:
    text = cells["address"]
    if cells.get("lease_type") == KEA_PREFIX and cells.get("prefix_len"):
        text = f"{text}/{cells['prefix_len']}"
    try:
        address = canonical(text)
    except ValueError:
        return None
    if "/" in address and not _is_network(address):
        address = address.partition("/")[0]
    words = [cells.get(name, "") for name in ("mac", "client", "name")]
    return SeenAddress(
        address=address,
        service=cells.get("service", ""),
        seen_as=" ".join(dict.fromkeys(filter(None, words)))[:MAX_SEEN_AS],
        seen_at=_moment(cells.get("seen_at", "")),
    )


def _is_network(address: str) -> bool:
    family, length = ranges.family_of(address), ranges.length_of(address)
    return length < BITS[family] and ranges.number_of(address) % ranges.unit_size(family, length) == 0


def _moment(text: str) -> datetime | None:
    """Read ISO 8601 in UTC where no zone is named, or seconds since 1970; what is neither says nothing."""
    try:
        if re.fullmatch(r"\d{9,10}", text, re.ASCII):
            return datetime.fromtimestamp(int(text), UTC)
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
