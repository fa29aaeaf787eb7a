"""Talk SNMP to a device: `open_transport(target)` and the errors it may raise."""

from hardware.snmp.errors import (
    SnmpBadAnswer,
    SnmpError,
    SnmpNonIncreasing,
    SnmpRefused,
    SnmpTimeout,
)
from hardware.snmp.transport import Target, Transport, Value

BACKENDS = ("gufo", "pysnmp", "easysnmp")

__all__ = [
    "BACKENDS",
    "SnmpBadAnswer",
    "SnmpError",
    "SnmpNonIncreasing",
    "SnmpRefused",
    "SnmpTimeout",
    "Target",
    "Transport",
    "Value",
    "open_transport",
]


def open_transport(target: Target, backend: str = "gufo") -> Transport:
    """Open a transport to `target`; close it, or use it in a `with` block.

    Nothing is sent yet. gufo speaks v2c only, so version 1 always goes through pysnmp.

    Raises SnmpError when the host has no address or the backend is not installed, ValueError for a backend
    that is not one of `BACKENDS`.
    """
    if backend not in BACKENDS:
        raise ValueError(f"no SNMP backend is called {backend}; there are {', '.join(BACKENDS)}")
    if backend == "easysnmp":
        from hardware.snmp.easysnmp_backend import EasysnmpTransport

        return EasysnmpTransport(target)
    if backend == "pysnmp" or target.version == "1":
        from hardware.snmp.pysnmp_backend import PysnmpTransport

        return PysnmpTransport(target)
    from hardware.snmp.gufo_backend import GufoTransport

    return GufoTransport(target)
