"""A Valkey primary, its replica and three sentinels on free ports of the loopback."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from ispcore.embedded.process import free_port
from tests import servers

PASSWORD = "cache password"
MASTER = "ispcore"
SERVER = """\
bind 127.0.0.1
port {port}
requirepass "{password}"
masterauth "{password}"
dir "{directory}"
appendonly yes
save ""
set-proc-title no
{replica}
"""
SENTINEL = """\
bind 127.0.0.1
port {port}
protected-mode no
dir "{directory}"
sentinel monitor {master} 127.0.0.1 {primary} 2
sentinel auth-pass {master} "{password}"
sentinel down-after-milliseconds {master} 1000
sentinel failover-timeout {master} 5000
"""


@dataclass
class Caches:
    """Ports, and the processes by their ports."""

    nodes: list[int]
    sentinels: list[int]
    processes: "dict[int, subprocess.Popen[bytes]]" = field(default_factory=dict)

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.sentinels)
        return f"sentinel://:{PASSWORD.replace(' ', '%20')}@{hosts}/0?master={MASTER}"

    def kill(self, port: int) -> None:
        self.processes[port].kill()
        self.processes[port].wait()

    def role(self, port: int) -> str:
        """Return `master`, `slave`, or nothing when it does not answer."""
        try:
            with Redis(port=port, password=PASSWORD, socket_timeout=5) as node:
                found: str = node.execute_command("ROLE")[0].decode()
                return found
        except RedisError:
            return ""


@contextmanager
def running(directory: Path) -> Iterator[Caches]:
    """Run all five for the block, ready for a failover."""
    ports = [free_port(directory / f"port-{number}") for number in range(5)]
    assert len(set(ports)) == 5
    caches = Caches(ports[:2], ports[2:])
    with ExitStack() as stack:
        for port in ports:
            own = directory / str(port)
            own.mkdir()
            configuration = own / "valkey.conf"
            text = SENTINEL if port in caches.sentinels else SERVER
            replica = f"replicaof 127.0.0.1 {caches.nodes[0]}" if port == caches.nodes[1] else ""
            configuration.write_text(
                text.format(port=port, password=PASSWORD, directory=own, replica=replica, master=MASTER,
                            primary=caches.nodes[0])
            )  # fmt: skip
            command = [str(servers.servers.home.valkey_server), str(configuration)]
            if port in caches.sentinels:
                command.append("--sentinel")
            log = stack.enter_context((own / "log").open("wb"))
            process = caches.processes[port] = subprocess.Popen(command, stdout=log, stderr=log)
            stack.callback(process.wait)
            stack.callback(process.kill)
        _wait_until_watched(caches)
        yield caches


def _wait_until_watched(caches: Caches) -> None:
    """Wait until each sentinel knows the replica and the other two."""
    deadline = time.monotonic() + 60
    for port in caches.sentinels:
        with Redis(port=port, decode_responses=True, socket_timeout=5) as sentinel:
            while True:
                try:
                    state = sentinel.sentinel_master(MASTER)
                    replicas = sentinel.sentinel_slaves(MASTER)
                except RedisError:
                    state, replicas = {}, []
                if state.get("num-other-sentinels") == 2 and any(
                    not one["is_disconnected"] for one in replicas
                ):
                    break
                assert time.monotonic() < deadline, "the sentinels do not find each other"
                time.sleep(0.1)
