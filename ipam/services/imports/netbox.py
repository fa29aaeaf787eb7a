"""NetBox's exports as JSON: what its REST API answers, and what Django's `dumpdata` writes of its tables.

Understood are VRFs, prefixes, IP addresses and, for their numbers, VLANs, of NetBox 3 and 4:

- one list's answer: `{"count": …, "results": [{"id": …, "prefix": …, "vrf": {"name": …}, …}]}`;
- several in one file, by the names of the API: `{"vrfs": […], "prefixes": […], "ip-addresses": […]}`, each a list or
  a list's answer;
- an array of such objects, or of `{"model": "ipam.prefix", "pk": 1, "fields": {…}}`.

Field names: netbox-community/netbox, `ipam/api/serializers_/` and `ipam/models/`. Objects of other kinds are left out.
"""

import codecs
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import IO, Any

from ipam.models import AddressState
from ipam.services.imports.entries import (
    MAX_SHOWN,
    AddressEntry,
    Entry,
    SubnetEntry,
    VrfEntry,
    VrfName,
    check_holder,
    set_address,
    set_text,
)
from ispcore.files.tables import TooManyRowsToImport, UnreadableFile

PIECE_CHARACTERS = 64 * 1024
MAX_OBJECT = 1024 * 1024  # Characters; NetBox's own objects have some thousand.
MAX_OBJECTS = 500_000
MAX_DEPTH = 3  # {"vrfs": {"results": [object]}}
VRF, PREFIX, ADDRESS, VLAN = "vrf", "prefix", "address", "vlan"
KINDS = {
    "vrfs": VRF, "ipam.vrf": VRF, "prefixes": PREFIX, "ipam.prefix": PREFIX, "ip-addresses": ADDRESS,
    "ip_addresses": ADDRESS, "ipam.ipaddress": ADDRESS, "vlans": VLAN, "ipam.vlan": VLAN,
}  # fmt: skip
MAY_GO_ON = ("", *"0123456789.eE+-")
# What tells an object of the API by itself.
TELLING = {"prefix": PREFIX, "address": ADDRESS, "vid": VLAN, "rd": VRF}
OF_API = ("display", "url", "family", "custom_fields")

Found = tuple[str, int, dict[str, Any]]


@dataclass
class Lookup:
    """What objects name by their key only, as `dumpdata` writes it."""

    vrfs: dict[int, VrfName] = field(default_factory=dict)
    vlans: dict[int, int] = field(default_factory=dict)
    objects: int = 0


def read_lookup(stream: IO[bytes]) -> Lookup:
    """Read the file once: its VRFs and VLANs by their keys, and how many objects there are.

    Raises UnreadableFile, TooManyRowsToImport.
    """
    lookup = Lookup()
    for kind, _, given in objects_in(stream):
        key = given.get("id")
        if kind == VRF and isinstance(key, int):
            lookup.vrfs[key] = VrfName(_text(given.get("name")), _text(given.get("rd")))
        elif kind == VLAN and isinstance(key, int) and isinstance(given.get("vid"), int):
            lookup.vlans[key] = given["vid"]
        lookup.objects += kind != VLAN
    if not lookup.objects:
        raise UnreadableFile(why="The file holds no VRF, prefix or IP address of NetBox.")
    return lookup


def entries_of(stream: IO[bytes], lookup: Lookup) -> Iterator[Entry]:
    """Give VRFs, then prefixes, then addresses, whatever their order in the file; each pass reads it anew."""
    readers = {VRF: _vrf_entry, PREFIX: _subnet_entry, ADDRESS: _address_entry}
    for wanted, read in readers.items():
        for kind, number, given in objects_in(stream):
            if kind == wanted:
                yield read(number, given, lookup)


def objects_in(stream: IO[bytes]) -> Iterator[Found]:
    """Give kind, number and content of each object of a known kind; the file is never wholly in memory."""
    stream.seek(0)
    text = _Text(stream)
    try:
        for number, (name, given) in enumerate(_walk(text, "", 0), 1):
            if number > MAX_OBJECTS:
                raise TooManyRowsToImport
            model, content = given.get("model"), given.get("fields")
            if isinstance(model, str) and isinstance(content, dict):
                name, given = model, {"id": given.get("pk"), **content}
            kind = KINDS.get(name) or _kind_of(given)
            if kind:
                yield kind, number, given
    except (ValueError, RecursionError) as error:
        raise UnreadableFile(why=f"The file is no JSON that NetBox writes: {str(error)[:200]}") from error


def _walk(text: "_Text", name: str, depth: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give each object that stands in an array, with the name of the list it is of."""
    opening = text.take()
    if opening == "[":
        while text.peek() != "]":
            given = text.value()
            if isinstance(given, dict):
                yield name, given
            text.skip_comma("]")
        text.take()
    elif opening == "{":
        while text.peek() != "}":
            key = text.value()
            if not isinstance(key, str) or text.take() != ":":
                raise ValueError("a name has no value")
            if depth < MAX_DEPTH and text.peek() in "[{":
                yield from _walk(text, key if key in KINDS else name, depth + 1)
            else:
                text.value()
            text.skip_comma("}")
        text.take()
    else:
        raise ValueError("it begins with neither { nor [")


class _Text:
    """A stream of JSON, of which one value at a time is in memory."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._pieces = iter(lambda: stream.read(PIECE_CHARACTERS), b"")
        self._decode = json.JSONDecoder().raw_decode
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._buffer, self._at = "", 0

    def peek(self) -> str:
        """Return the next character that is no white space."""
        while True:
            while self._at < len(self._buffer) and self._buffer[self._at] in " \t\r\n":
                self._at += 1
            if self._at < len(self._buffer):
                return self._buffer[self._at]
            if not self._more():
                raise ValueError("it ends too early")

    def take(self) -> str:
        found = self.peek()
        self._at += 1
        return found

    def skip_comma(self, end: str) -> None:
        if self.peek() == ",":
            self._at += 1
        elif self.peek() != end:
            raise ValueError(f"a comma or {end} is missing")

    def value(self) -> Any:
        """Return the next value; one that the buffer holds only in part is read to its end."""
        self.peek()
        while True:
            try:
                found, end = self._decode(self._buffer, self._at)
            except json.JSONDecodeError:
                if len(self._buffer) - self._at > MAX_OBJECT or not self._more():
                    raise
                continue
            # A number may go on in the next piece: 22.5 is read as 22 while only "22." is there.
            if self._buffer[end : end + 1] not in MAY_GO_ON or not self._more():
                self._at = end
                return found

    def _more(self) -> bool:
        piece = next(self._pieces, None)
        if piece is None:
            return False
        self._buffer = self._buffer[self._at :] + self._decoder.decode(piece)
        self._at = 0
        return True


def _kind_of(given: dict[str, Any]) -> str:
    """Tell an object of the API by its fields."""
    if not any(name in given for name in OF_API):
        return ""
    return next((kind for name, kind in TELLING.items() if name in given), "")


def _vrf_entry(number: int, given: dict[str, Any], lookup: Lookup) -> VrfEntry:
    entry = VrfEntry(number, _shown(given, ("name", "rd", "description")))
    set_text(entry, "name", _text(given.get("name")))
    if not entry.name:
        entry.refuse("name", "A VRF needs a name.")
    set_text(entry, "rd", _text(given.get("rd")))
    entry.description = _text(given.get("description"))[:200]
    return entry


def _subnet_entry(number: int, given: dict[str, Any], lookup: Lookup) -> SubnetEntry:
    entry = SubnetEntry(number, _shown(given, ("prefix", "vrf", "vlan", "site", "scope", "description")))
    entry.network = _text(given.get("prefix"))
    entry.vrf = _vrf_named(entry, given.get("vrf"), lookup)
    vlan = given.get("vlan")
    vid = lookup.vlans.get(vlan) if isinstance(vlan, int) else _within(vlan, "vid")
    place = _text(_within(given.get("scope"), "name") or _within(given.get("site"), "name"))
    entry.details = {
        "name": _text(given.get("description"))[:80],
        "site": place[:80],
        "vlan_id": vid if isinstance(vid, int) and 1 <= vid <= 4094 else None,
        "notes": _text(given.get("comments"))[:2000],
    }
    return entry


def _address_entry(number: int, given: dict[str, Any], lookup: Lookup) -> AddressEntry:
    """Read an address: active ones are assigned to the device, name or words NetBox has of them."""
    names = ("address", "vrf", "status", "assigned_object", "dns_name", "description")
    entry = AddressEntry(number, _shown(given, names))
    entry.vrf = _vrf_named(entry, given.get("vrf"), lookup)
    set_address(entry, _text(given.get("address")).partition("/")[0])  # Its mask is the interface's.
    set_text(entry, "hostname", _text(given.get("dns_name")))
    entry.note = _text(given.get("description"))[:200]
    status = _text(_value_of(given.get("status"))) or "active"
    if status in ("reserved", "deprecated"):
        entry.state = AddressState.RESERVED
        entry.reserved_for = "Deprecated in NetBox" if status == "deprecated" else entry.note[:120]
    else:
        entry.state = AddressState.ASSIGNED
        entry.assigned_to = _holder(given, number)[:120]
    check_holder(entry)
    return entry


def _holder(given: dict[str, Any], number: int) -> str:
    port = given.get("assigned_object")
    if isinstance(port, dict):
        machine = _within(port, "device") or _within(port, "virtual_machine")
        words = [_text(_within(machine, "name")), _text(port.get("name") or port.get("display"))]
        if any(words):
            return " ".join(filter(None, words))
    words = [_text(given.get(name)) for name in ("dns_name", "description")]
    key = given.get("id")
    return next(filter(None, words), f"NetBox IP address {key if isinstance(key, int) else number}")


def _vrf_named(entry: Entry, given: Any, lookup: Lookup) -> VrfName:
    if isinstance(given, dict):
        return VrfName(_text(given.get("name")), _text(given.get("rd")))
    if isinstance(given, int):
        if given not in lookup.vrfs:
            entry.refuse("vrf", f"The VRF with the key {given} is not in the file.")
        return lookup.vrfs.get(given, VrfName())
    return VrfName()


def _value_of(given: Any) -> Any:
    return given.get("value") if isinstance(given, dict) else given


def _within(given: Any, name: str) -> Any:
    return given.get(name) if isinstance(given, dict) else None


def _text(given: Any) -> str:
    return _storable(given).strip() if isinstance(given, str) else ""


def _storable(given: str) -> str:
    """Leave out what PostgreSQL has no text for: NUL, and halves of surrogate pairs become question marks."""
    return given.replace("\x00", "").encode("utf-8", "replace").decode()


def _shown(given: dict[str, Any], names: Iterable[str]) -> dict[str, str]:
    """Keep what a person needs to find the object again."""
    shown = {}
    for name in islice(("id", *names), 10):
        value = given.get(name)
        if isinstance(value, dict):
            value = value.get("display") or value.get("name") or value.get("value")
        if value not in (None, ""):
            shown[name] = _storable(str(value))[:MAX_SHOWN]
    return shown
