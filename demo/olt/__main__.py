"""Serve simulated OLTs until interrupted."""

import argparse
import contextlib
import os
import signal
import threading
from pathlib import Path

from demo.olt import VENDORS, AgentServer, build_device
from demo.olt.agent import Agent, Device
from demo.olt.device import ONUS_PER_PORT
from demo.olt.faults import FAULTS
from demo.olt.huawei import HuaweiOlt
from demo.olt.huawei_cli import FAULTS as CLI_FAULTS
from demo.olt.huawei_cli import HuaweiCli
from demo.olt.replay import RecordedOlt


def main() -> None:
    parser = _parser()
    options = parser.parse_args()
    if options.onus > options.pon_ports * ONUS_PER_PORT:
        parser.error(f"at most {ONUS_PER_PORT} ONUs fit one PON port: raise --pon-ports")
    agents, command_lines = [], []
    for number in range(options.count):
        device: Device = (
            RecordedOlt(options.replay)
            if options.replay
            else build_device(
                options.vendor, onus=options.onus, pon_ports=options.pon_ports, seed=options.seed + number
            )
        )
        agent = Agent(device, community=options.community, fault=options.fault, seed=options.seed + number)
        agents.append((agent, (options.host, options.port + number if options.port else 0)))
        if isinstance(device, HuaweiOlt):
            for waiting in range(min(options.waiting, options.pon_ports)):
                device.plug_in(waiting)
            if options.cli_port >= 0:
                command_lines.append(_command_line(device, options, number))
    latency = options.latency_ms / 1000
    with AgentServer(agents, latency_seconds=latency, command_lines=command_lines) as server:
        for host, port in server.addresses:
            print(f"OLT on {host}:{port}", flush=True)
        for command_line in command_lines:
            print(f"command line on {command_line.host}:{command_line.port}", flush=True)
        stopped = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: stopped.set())
        with contextlib.suppress(KeyboardInterrupt):
            stopped.wait()


def _command_line(device: HuaweiOlt, options: argparse.Namespace, number: int) -> HuaweiCli:
    """Make the SSH server of one OLT; its host key stays the same over restarts, in ISP_DATA_DIR if there is one."""
    folder = os.environ.get("ISP_DATA_DIR")
    key = Path(folder) / "simulated-olts" / f"{options.host}-{number}.key" if folder else None
    return HuaweiCli(
        device,
        host=options.host,
        port=options.cli_port + number if options.cli_port else 0,
        host_key=key,
        fault=options.cli_fault,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m demo.olt", description=__doc__)
    parser.add_argument("--host", default="127.0.0.2")
    parser.add_argument("--port", type=int, default=16161, help="first port; 0 for any free ones")
    parser.add_argument("--count", type=int, default=1, help="how many OLTs, on consecutive ports")
    parser.add_argument("--community", default="public")
    parser.add_argument("--vendor", choices=sorted(VENDORS), default="huawei")
    parser.add_argument("--onus", type=int, default=512, help="per OLT")
    parser.add_argument("--pon-ports", type=int, default=16)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--replay", type=Path, help="a .snmprec file, or the output of snmpwalk -On")
    parser.add_argument("--latency-ms", type=float, default=0)
    parser.add_argument(
        "--fault", default="", help="one of " + ", ".join(sorted(FAULTS)) + "; drop=0.1 sets its number"
    )
    parser.add_argument("--waiting", type=int, default=0, help="ONUs that wait for authorisation (huawei)")
    parser.add_argument(
        "--cli-port", type=int, default=-1, help="first SSH port (huawei); 0 for any free ones, -1 for none"
    )
    parser.add_argument(
        "--cli-fault", default="", help="one of " + ", ".join(CLI_FAULTS) + "; cut-after=ont add"
    )
    return parser


if __name__ == "__main__":
    main()
