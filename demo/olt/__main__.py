"""Serve simulated OLTs until interrupted."""

import argparse
import contextlib
import signal
import threading
from pathlib import Path

from demo.olt import VENDORS, AgentServer, build_device
from demo.olt.agent import Agent, Device
from demo.olt.device import ONUS_PER_PORT
from demo.olt.faults import FAULTS
from demo.olt.replay import RecordedOlt


def main() -> None:
    parser = _parser()
    options = parser.parse_args()
    if options.onus > options.pon_ports * ONUS_PER_PORT:
        parser.error(f"at most {ONUS_PER_PORT} ONUs fit one PON port: raise --pon-ports")
    agents = []
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
    with AgentServer(agents, latency_seconds=options.latency_ms / 1000) as server:
        for host, port in server.addresses:
            print(f"OLT on {host}:{port}", flush=True)
        stopped = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: stopped.set())
        with contextlib.suppress(KeyboardInterrupt):
            stopped.wait()


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
    return parser


if __name__ == "__main__":
    main()
