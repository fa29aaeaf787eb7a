"""Play back a recording: LibreNMS's `.snmprec`, or the output of snmpwalk -On."""

import re
from pathlib import Path

from demo.olt import ber
from demo.olt.agent import NOT_WRITABLE, Writes
from demo.olt.device import SYSTEM
from demo.olt.mib import Mib

_WALK_LINE = re.compile(r"^\.?([\d.]+) = ([\w-]+): ?(.*)$")
_WALK_TAGS = {
    "INTEGER": ber.INTEGER, "STRING": ber.OCTETS, "Hex-STRING": ber.OCTETS, "OID": ber.OID,
    "IpAddress": ber.IP_ADDRESS, "Counter32": ber.COUNTER32, "Gauge32": ber.GAUGE32, "Timeticks": ber.TICKS,
    "Counter64": ber.COUNTER64,
}  # fmt: skip
# A walk that holds only the vendor's tables still has to say whose they are.
_OWNERS = {
    "1.3.6.1.4.1.2011.6.128.": ("Huawei Integrated Access Software", "1.3.6.1.4.1.2011.2.248"),
    "1.3.6.1.4.1.41112.1.5.": ("EdgeOS", "1.3.6.1.4.1.41112.1.5"),
}


class RecordedOlt:
    """A device that answers what was once recorded and takes no orders."""

    def __init__(self, path: Path) -> None:
        """Load `path`. Raises OSError, or ValueError for a line that is in neither format."""
        self.mib = Mib()
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
        read = self._read_snmprec if path.suffix == ".snmprec" else self._read_walk
        for line in filter(None, map(str.strip, text.splitlines())):
            read(line)
        self._claim_owner(text)

    def write(self, pairs: Writes) -> tuple[int, int]:
        return NOT_WRITABLE, 1

    def _read_snmprec(self, line: str) -> None:
        """Take `OID|tag|value`; the tag is BER's number, and a trailing x means the value is hex."""
        oid, tag, value = line.split("|", 2)
        octets = bytes.fromhex(value) if tag.endswith("x") else value.encode("utf-8", "surrogateescape")
        self._put(oid, int(tag.rstrip("x")), octets)

    def _read_walk(self, line: str) -> None:
        found = _WALK_LINE.match(line)
        if not found or found[2] not in _WALK_TAGS:
            raise ValueError(f"not a line of snmpwalk -On: {line[:60]}")
        oid, kind, value = found.groups()
        if kind == "Hex-STRING":
            octets = bytes.fromhex(value)
        elif kind == "Timeticks":
            octets = value.partition("(")[2].partition(")")[0].encode()
        else:
            octets = value.strip('"').encode("utf-8", "surrogateescape")
        self._put(oid, _WALK_TAGS[kind], octets)

    def _put(self, oid: str, tag: int, octets: bytes) -> None:
        if tag in ber.INTEGERS:
            self.mib.put_integer(oid, int(octets), tag)
        elif tag == ber.OID:
            self.mib.put(oid, ber.encode_oid(octets.decode().lstrip(".")))
        elif tag == ber.IP_ADDRESS:
            address = octets if len(octets) == 4 else bytes(map(int, octets.split(b".")))
            self.mib.put(oid, ber.encode(tag, address))
        else:
            self.mib.put(oid, ber.encode(tag, octets))

    def _claim_owner(self, text: str) -> None:
        if self.mib.varbind(ber.oid_key(f"{SYSTEM}.2.0")) is not None:
            return
        for prefix, (sys_descr, sys_object_id) in _OWNERS.items():
            if prefix in text:
                self.mib.put_octets(f"{SYSTEM}.1.0", sys_descr.encode())
                self.mib.put(f"{SYSTEM}.2.0", ber.encode_oid(sys_object_id))
                self.mib.put_integer(f"{SYSTEM}.3.0", 100, ber.TICKS)
