"""Talk SNMP to a device: `open_transport(target)` and the errors it may raise."""

from typing import Literal

from hardware.snmp.errors import (
    SnmpBadAnswer,
    SnmpError,
    SnmpNonIncreasing,
    SnmpRefused,
    SnmpTimeout,
)
from hardware.snmp.transport import Target, Transport, Value

Backend = Literal["gufo", "pysnmp", "easysnmp"]

__all__ = [
    "Backend",
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


def open_transport(target: Target, backend: Backend = "gufo") -> Transport:
    """Open a transport to `target`; close it, or use it in a `with` block.

    Nothing is sent yet. gufo speaks v2c only, so version 1 always goes through pysnmp.

    Raises SnmpError when the host has no address, or the backend is not installed.
    """
    if backend == "easysnmp":
        from hardware.snmp.easysnmp_backend import EasysnmpTransport

        return EasysnmpTransport(target)
    if backend == "pysnmp" or target.version == "1":
        from hardware.snmp.pysnmp_backend import PysnmpTransport

        return PysnmpTransport(target)
    if backend != "gufo":
        raise ValueError(f"no SNMP backend is called {backend}")
    from hardware.snmp.gufo_backend import GufoTransport

    return GufoTransport(target)
