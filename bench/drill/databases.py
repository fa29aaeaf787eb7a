"""Two PostgreSQL servers: one leads, the other confirms every commit before it is answered."""

import time
from dataclasses import dataclass

import psycopg

from bench.drill import keeper
from bench.drill.network import NETWORK, NETWORK_BITS, Host
from bench.drill.settings import Installation
from ispcore.embedded import roles
from ispcore.embedded.servers import DATABASE, describe_roles, role_passwords

ACCESS_RULES = f"""\
host all all 127.0.0.1/32 scram-sha-256
host all all {NETWORK}.0/{NETWORK_BITS} scram-sha-256
host replication all {NETWORK}.0/{NETWORK_BITS} scram-sha-256
"""


@dataclass(frozen=True)
class Databases:
    hosts: tuple[Host, Host]
    arbiter: Host
    installation: Installation

    def set_up(self) -> None:
        """Describe the programs of the three hosts; `boot` starts them."""
        one, two = self.hosts
        account = self.installation.home.account
        assert account is not None  # The drill runs as root.
        environment = self.installation.bare_environment | {"PGPASSWORD": self.password}
        python = self.installation.python("-m", "bench.drill.keeper")
        self.arbiter.add("arbiter", [*python, "arbiter", "--address", self.arbiter.address, "--primary", one.name],
                         environment)  # fmt: skip
        for host, other in ((one, two), (two, one)):
            home = host.directory / "postgres"
            home.mkdir(mode=0o700)
            self.installation.own(home)
            (home / "pg_hba.conf").write_text(ACCESS_RULES)
            self.installation.own(home / "pg_hba.conf")
            host.add("postgres", [
                *python, "agent", "--name", host.name, "--address", host.address, "--arbiter", self.arbiter.address,
                "--other", other.address, "--binaries", str(self.installation.home.postgres_bin),
                "--data", str(home / "data"), "--account", f"{account.uid}:{account.gid}",
            ], environment)  # fmt: skip

    def create(self) -> None:
        """Make roles and database on the server that leads."""
        describe_roles(self.url(), DATABASE, role_passwords(self.installation.keys), ours=True)

    @property
    def password(self) -> str:
        return self.installation.keys["POSTGRES_PASSWORD"]

    def url(self, role: str = "", database: str = "postgres") -> str:
        """Return the URL of both servers for a role, the superuser when none is given."""
        hosts = ",".join(f"{host.address}:5432" for host in self.hosts)
        url = f"postgresql://postgres:{self.password}@{hosts}/{database}?target_session_attrs=primary"
        if role:
            url = roles.url_for(
                url, role=role, password=role_passwords(self.installation.keys)[role], database=DATABASE
            )
        return url

    def primary(self) -> Host:
        answer = keeper.ask(self.arbiter.address, {"name": "", "role": "none"})
        return self.hosts[0] if answer["primary"] == self.hosts[0].name else self.hosts[1]

    def replica(self) -> Host:
        return self.hosts[1] if self.primary() is self.hosts[0] else self.hosts[0]

    def trouble(self) -> str:
        """Say what is not as it should be: empty when commits are confirmed by the replica."""
        try:
            confirmed = keeper.ask(self.arbiter.address, {"name": "", "role": "none"})["confirmed"]
        except OSError as error:
            return f"the arbiter: {error}"
        return "" if confirmed else "no replica confirms commits"

    def wait_for_writes(self, seconds: float = 90) -> None:
        deadline = time.monotonic() + seconds
        while True:
            try:
                psycopg.connect(self.url(), connect_timeout=2).close()
            except psycopg.Error:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)
            else:
                return
