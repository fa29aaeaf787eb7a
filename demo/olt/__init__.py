"""A simulated OLT: a real SNMP agent on UDP with the tables, the size and the faults of one.

`python -m demo.olt` serves some; `SimulatedOlt` does the same inside a test.
"""

from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from demo.olt.agent import Agent
from demo.olt.bdcom import BdcomEponOlt, BdcomGponOlt
from demo.olt.cdata import CdataByPortOlt, CdataEponOlt, CdataOldOlt, CdataOlt
from demo.olt.device import SimulatedDevice
from demo.olt.fiberhome import FiberhomeOlt
from demo.olt.huawei import HuaweiOlt, ServicePort
from demo.olt.huawei_cli import HuaweiCli
from demo.olt.onu import SimulatedOnu
from demo.olt.replay import RecordedOlt
from demo.olt.server import AgentServer
from demo.olt.telnet import HuaweiTelnet
from demo.olt.ufiber import UfiberOlt
from demo.olt.vsol import VsolEponOlt, VsolGponOlt, VsolOtherEponOlt
from demo.olt.zte import ZteC300Olt, ZteC320Olt, ZteC600Olt

Vendor = Literal[
    "huawei",
    "zte_c300",
    "zte_c320",
    "zte_c600",
    "fiberhome",
    "ufiber",
    "vsol_gpon",
    "vsol_epon",
    "vsol_epon_25",
    "bdcom_gpon",
    "bdcom_epon",
    "cdata",
    "cdata_port",
    "cdata_old",
    "cdata_epon",
]
VENDORS: dict[str, type[SimulatedDevice]] = {
    "huawei": HuaweiOlt,
    "zte_c300": ZteC300Olt,
    "zte_c320": ZteC320Olt,
    "zte_c600": ZteC600Olt,
    "fiberhome": FiberhomeOlt,
    "ufiber": UfiberOlt,
    "vsol_gpon": VsolGponOlt,
    "vsol_epon": VsolEponOlt,
    "vsol_epon_25": VsolOtherEponOlt,
    "bdcom_gpon": BdcomGponOlt,
    "bdcom_epon": BdcomEponOlt,
    "cdata": CdataOlt,
    "cdata_port": CdataByPortOlt,
    "cdata_old": CdataOldOlt,
    "cdata_epon": CdataEponOlt,
}

__all__ = ["VENDORS", "AgentServer", "SimulatedOlt", "SimulatedOnu", "Vendor", "build_device"]


def build_device(vendor: Vendor, *, onus: int = 32, pon_ports: int = 16, seed: int = 1) -> SimulatedDevice:
    return VENDORS[vendor](onus=onus, pon_ports=pon_ports, seed=seed)


class SimulatedOlt:
    """One OLT on a free loopback port, for the length of a `with` block or between `start` and `stop`.

    Change it while it runs: `fault`, `set_onu_online`, `add_onu`, `remove_onu`.
    """

    def __init__(
        self,
        vendor: Vendor = "huawei",
        *,
        onus: int = 32,
        pon_ports: int = 4,
        seed: int = 1,
        community: str = "public",
        fault: str = "",
        latency_ms: float = 0,
        host: str = "127.0.0.1",
        port: int = 0,
        replay: Path | None = None,
        cli: Literal["", "ssh", "telnet"] = "",
        cli_fault: str = "",
    ) -> None:
        self.device = (
            RecordedOlt(replay) if replay else build_device(vendor, onus=onus, pon_ports=pon_ports, seed=seed)
        )
        self.host = host
        self.port = port
        self.community = community
        self.agent = Agent(self.device, community=community, fault=fault, seed=seed)
        kind = HuaweiTelnet if cli == "telnet" else HuaweiCli
        self._cli = kind(self._huawei(), host=host, fault=cli_fault) if cli else None
        self._server = AgentServer(
            [(self.agent, (host, port))],
            latency_seconds=latency_ms / 1000,
            command_lines=[self._cli] if self._cli else [],
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        self._server.start()
        self.port = self._server.addresses[0][1]

    def stop(self) -> None:
        self._server.stop()

    @property
    def cli(self) -> HuaweiCli:
        """The command line, for those started with one."""
        if self._cli is None:
            raise TypeError("this one has no command line")
        return self._cli

    @property
    def fault(self) -> str:
        return self.agent.fault

    @fault.setter
    def fault(self, text: str) -> None:
        self.agent.fault = text

    @property
    def requests(self) -> int:
        """Count the requests under the right community so far."""
        return self.agent.requests

    @property
    def onus(self) -> dict[tuple[int, int], SimulatedOnu]:
        """The ONUs by (port, onu_id), ports counted from 0; a replay has none."""
        return self._simulated().onus

    def set_onu_online(self, port: int, onu_id: int, *, online: bool, down_cause: int = 13) -> None:
        self._simulated().set_onu_online(port, onu_id, online=online, down_cause=down_cause)

    def add_onu(self, port: int, serial: bytes | None = None) -> SimulatedOnu:
        return self._simulated().add_onu(port, serial)

    def remove_onu(self, port: int, onu_id: int) -> None:
        self._simulated().remove_onu(port, onu_id)

    def plug_in(self, port: int, serial: bytes | None = None) -> str:
        """Let an ONU appear that waits for authorisation; return its serial."""
        unit = self._huawei().plug_in(port, serial)
        return unit.serial[:4].decode() + unit.serial[4:].hex().upper()

    @property
    def service_ports(self) -> list[ServicePort]:
        return list(self._huawei().service_ports.values())

    def _huawei(self) -> HuaweiOlt:
        if not isinstance(self.device, HuaweiOlt):
            raise TypeError("only a Huawei is simulated to that depth")
        return self.device

    def _simulated(self) -> SimulatedDevice:
        if not isinstance(self.device, SimulatedDevice):
            raise TypeError("a recording cannot be changed")
        return self.device
