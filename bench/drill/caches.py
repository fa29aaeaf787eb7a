"""A Valkey primary, its replica, and three sentinels: one beside each and one on a third host."""

from dataclasses import dataclass

from redis import Redis
from redis.exceptions import RedisError

from bench.drill.network import Host
from bench.drill.settings import Installation

MASTER = "ispcore"
SERVER = """\
bind * -::*
port 6379
requirepass {password}
masterauth {password}
dir {directory}
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
set-proc-title no
repl-timeout 10
repl-ping-replica-period 2
tcp-keepalive 5
"""
SENTINEL = """\
bind * -::*
port 26379
protected-mode no
dir {directory}
sentinel monitor {master} {primary} 6379 2
sentinel auth-pass {master} {password}
sentinel down-after-milliseconds {master} 3000
sentinel failover-timeout {master} 10000
"""


@dataclass(frozen=True)
class Caches:
    hosts: tuple[Host, Host]
    third: Host
    installation: Installation

    def set_up(self) -> None:
        """Write the configurations, which the programs themselves keep up to date from then on."""
        one, two = self.hosts
        for host in (one, two):
            self._write(host, "valkey", SERVER)
        with (two.directory / "valkey" / "valkey.conf").open("a") as file:
            file.write(f"replicaof {one.address} 6379\n")
        for host in (one, two, self.third):
            self._write(host, "sentinel", SENTINEL, primary=one.address, master=MASTER)

    @property
    def url(self) -> str:
        hosts = ",".join(f"{host.address}:26379" for host in (*self.hosts, self.third))
        return f"sentinel://:{self._password}@{hosts}/0?master={MASTER}"

    def primary(self) -> Host:
        with Redis(self.third.address, 26379, decode_responses=True, socket_timeout=2) as sentinel:
            address = sentinel.sentinel_get_master_addr_by_name(MASTER)[0]
        return self.hosts[0] if address == self.hosts[0].address else self.hosts[1]

    def replica(self) -> Host:
        return self.hosts[1] if self.primary() is self.hosts[0] else self.hosts[0]

    def trouble(self) -> str:
        """Say what is not as it should be: empty when the replica follows the primary."""
        try:
            with Redis(self.primary().address, 6379, password=self._password, socket_timeout=2) as primary:
                state = primary.info("replication")
        except RedisError as error:
            return f"the cache: {error}"
        if (
            state["role"] == "master"
            and state["connected_slaves"] == 1
            and state["slave0"]["state"] == "online"
        ):
            return ""
        return "the cache has no replica"

    @property
    def _password(self) -> str:
        return self.installation.keys["VALKEY_PASSWORD"]

    def _write(self, host: Host, name: str, text: str, **given: str) -> None:
        directory = host.directory / name
        directory.mkdir(mode=0o700)
        configuration = directory / f"{name}.conf"
        configuration.write_text(text.format(password=self._password, directory=directory, **given))
        configuration.chmod(0o600)
        for path in (directory, configuration):
            self.installation.own(path)
        mode = ["--sentinel"] if name == "sentinel" else []
        host.add(name, [str(self.installation.home.valkey_server), str(configuration), *mode],
                 self.installation.bare_environment, self.installation.home.account)  # fmt: skip
