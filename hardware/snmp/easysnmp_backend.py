"""SNMP reads through easysnmp and net-snmp's libsnmp, inside the rules that make it safe; see docs/adr/0004.

Needs requirements-easysnmp.txt, a C compiler and libsnmp's headers.
"""

import ctypes
import os
from collections.abc import Callable, Sequence
from typing import Any

from hardware.snmp.errors import SnmpBadAnswer, SnmpError, SnmpRefused, SnmpTimeout, status_name
from hardware.snmp.pysnmp_backend import PysnmpTransport
from hardware.snmp.stepping import SteppingTransport
from hardware.snmp.transport import Binding, Target, Value, resolve

# libsnmp reads its configuration and every MIB file at the first session of the process. Both would turn
# numbers into names, and a site's snmp.conf could change what comes out.
os.environ.setdefault("MIBS", "")
os.environ.setdefault("SNMPCONFPATH", "/nonexistent")

try:
    import easysnmp
    import easysnmp.exceptions as refusals
except ImportError as missing:
    raise SnmpError("easysnmp is not installed; see requirements-easysnmp.txt") from missing

# net-snmp/library/default_store.h and mib.h: NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_OID_OUTPUT_FORMAT and
# NETSNMP_OID_OUTPUT_NUMERIC.
_LIBRARY, _OID_OUTPUT_FORMAT, _NUMERIC = 0, 4, 4

_INTEGERS = frozenset(
    {"INTEGER", "INTEGER32", "UNSIGNED32", "UINTEGER", "COUNTER", "COUNTER64", "GAUGE", "TICKS"}
)
_OCTETS = frozenset({"OCTETSTR", "OPAQUE"})
_MISSING = frozenset({"NOSUCHOBJECT", "NOSUCHINSTANCE", "ENDOFMIBVIEW", "NOSUCHNAME", "NULL"})


class EasysnmpTransport(SteppingTransport):
    """Read one GETBULK at a time through easysnmp; write through pysnmp."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._writer = PysnmpTransport(target)
        _, self._address = resolve(target)
        self._sessions: dict[float, Any] = {}

    def close(self) -> None:
        self._sessions.clear()  # easysnmp closes a session when its object goes.
        self._writer.close()

    def set(self, pairs: Sequence[tuple[str, Value]]) -> None:
        self._writer.set(pairs)

    def _get_once(self, oids: Sequence[str], timeout_seconds: float) -> list[Binding]:
        session = self._session(timeout_seconds)
        # An index of "" keeps easysnmp from cutting the OID in two.
        asked = [("." + oid, "") for oid in oids]
        try:
            return self._read(session, lambda: session.get(asked))
        except SnmpRefused as refusal:
            # RFC 1157, 4.1.2: version 1 fails the whole GET for one missing name.
            if refusal.status != "noSuchName":
                raise
        if len(oids) == 1:
            return []
        half = len(oids) // 2
        return self._get_once(oids[:half], timeout_seconds) + self._get_once(oids[half:], timeout_seconds)

    def _next_once(self, oid: str, rows: int, timeout_seconds: float) -> list[Binding]:
        session = self._session(timeout_seconds)
        asked = [("." + oid, "")]
        try:
            if rows == 1:
                return self._read(session, lambda: session.get_next(asked))
            # Not bulkwalk(): it builds the whole column in memory before it returns the first row.
            return self._read(session, lambda: session.get_bulk(asked, 0, rows))
        except SnmpRefused as refusal:
            if refusal.status == "noSuchName":  # RFC 1157, 4.1.3: how version 1 says the MIB ends here.
                return [(oid, None)]
            raise

    def _session(self, timeout_seconds: float) -> Any:
        """Return this transport's own session: libsnmp's may not be shared by threads."""
        if timeout_seconds not in self._sessions:
            host = f"udp6:[{self._address}]" if ":" in self._address else self._address
            try:
                self._sessions[timeout_seconds] = easysnmp.Session(
                    hostname=f"{host}:{self.target.port}" if ":" not in host else host,
                    version=1 if self.target.version == "1" else 2,
                    community=self.target.community,
                    timeout=timeout_seconds,
                    retries=0,  # Repeating is `SteppingTransport`'s, which asks for fewer rows each time.
                    use_numeric=True,
                    use_sprint_value=False,  # Would format octets by their MIB, or as text if printable.
                )
            except (refusals.EasySNMPError, RuntimeError, ValueError) as error:
                raise SnmpError(
                    f"{self.target.host}:{self.target.port} cannot be reached: {error}"
                ) from error
            # easysnmp sets the whole process's output format for each answer and puts back what it found.
            # Threads can interleave and leave names behind; what it finds numeric, it puts back numeric.
            ctypes.CDLL(easysnmp.interface.__file__).netsnmp_ds_set_int(
                _LIBRARY, _OID_OUTPUT_FORMAT, _NUMERIC
            )
        return self._sessions[timeout_seconds]

    def _read(self, session: Any, ask: Callable[[], Any]) -> list[Binding]:
        try:
            return [_binding(variable) for variable in ask()]
        except refusals.EasySNMPNoSuchNameError as error:
            raise SnmpRefused("noSuchName", 0) from error
        except refusals.EasySNMPTimeoutError as error:
            raise SnmpTimeout(self.target.host, self.target.port, 1) from error
        except refusals.EasySNMPError as error:
            if session.error_number > 0:
                raise SnmpRefused(status_name(session.error_number), session.error_index) from error
            raise SnmpBadAnswer(f"{self.target.host}:{self.target.port}: {error}") from error
        except (SystemError, RuntimeError, ValueError) as error:
            raise SnmpBadAnswer(f"{self.target.host}:{self.target.port}: {error}") from error


def _binding(variable: Any) -> Binding:
    """Turn easysnmp's text back into the value sent. Raises ValueError for a type that it mangles."""
    oid = variable.oid.lstrip(".") + (f".{variable.oid_index}" if variable.oid_index else "")
    kind, text = variable.snmp_type, variable.value
    if kind in _MISSING:
        return oid, None
    if kind in _INTEGERS:
        return oid, int(text)
    if kind in _OCTETS:
        return oid, text.encode("latin-1", "surrogateescape")
    if kind in ("OBJECTID", "IPADDR"):
        return oid, text.lstrip(".")
    raise ValueError(f"easysnmp cannot read the type {kind} at {oid}")
