"""One driver per OLT vendor, and how to tell which one a device needs."""

from hardware.drivers.base import Driver, DriverError, read_system
from hardware.drivers.bdcom import BdcomDriver
from hardware.drivers.cdata import CdataDriver
from hardware.drivers.columns import ALL_PASSES, ColumnFailure, Pass, ProgressHook, describe_column
from hardware.drivers.fiberhome import FiberhomeDriver
from hardware.drivers.findings import (
    AdminState,
    CardInfo,
    Discovery,
    DownCause,
    OnuInfo,
    PonPortInfo,
    RunStatus,
    SystemInfo,
    WaitingOnu,
)
from hardware.drivers.huawei import HuaweiDriver
from hardware.drivers.provisioning import (
    Capability,
    CliStep,
    NotSupportedByDevice,
    OnuPlace,
    Preset,
    SnmpStep,
    Step,
)
from hardware.drivers.ufiber import UfiberDriver
from hardware.drivers.vsol import VsolDriver
from hardware.drivers.zte import ZteDriver

__all__ = [
    "ALL_PASSES",
    "DRIVERS",
    "AdminState",
    "Capability",
    "CardInfo",
    "CliStep",
    "ColumnFailure",
    "Discovery",
    "DownCause",
    "Driver",
    "DriverError",
    "NotSupportedByDevice",
    "OnuInfo",
    "OnuPlace",
    "Pass",
    "PonPortInfo",
    "Preset",
    "ProgressHook",
    "RunStatus",
    "SnmpStep",
    "Step",
    "SystemInfo",
    "WaitingOnu",
    "describe_column",
    "detect",
    "read_system",
]

DRIVERS: dict[str, Driver] = {
    driver.vendor: driver
    for driver in (
        HuaweiDriver(),
        ZteDriver(),
        FiberhomeDriver(),
        UfiberDriver(),
        VsolDriver(),
        BdcomDriver(),
        CdataDriver(),
    )
}


def detect(sys_object_id: str, sys_descr: str) -> Driver | None:
    """Find the driver for what a device's system group says, None when there is none for it."""
    return next((driver for driver in DRIVERS.values() if driver.matches(sys_object_id, sys_descr)), None)
