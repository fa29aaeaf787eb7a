"""The faults: each host's cable cut and each host killed, in turn, and what that did to each kind of traffic."""

import http.client
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date

from bench.drill import checks, radius
from bench.drill.billing import BillingRun
from bench.drill.caches import Caches
from bench.drill.checks import Findings
from bench.drill.databases import Databases
from bench.drill.load import Load
from bench.drill.network import Host, Network

FIRST_RUN = (2025, 7)
HEALTHY_SECONDS = 240.0
RUN_SECONDS = 240.0


@dataclass(frozen=True)
class Fault:
    how: str  # "cut" or "kill".
    what: str
    choose: Callable[[], Host]

    def __str__(self) -> str:
        return f"{'cable of' if self.how == 'cut' else 'killed:'} {self.what}"


@dataclass
class Outcome:
    fault: Fault
    host: str
    silences: dict[str, float]
    billed: float | None
    healthy: float
    findings: Findings
    restarts: list[str] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)


@dataclass
class Drill:
    network: Network
    databases: Databases
    caches: Caches
    load: Load
    runs: int = 0

    def faults(self) -> Iterator[Fault]:
        hosts = self.network.hosts
        targets: dict[str, Callable[[], Host]] = {
            "web": lambda: hosts["web1"],
            "other web": lambda: hosts["web2"],
            "workers and beat": lambda: hosts["work1"],
            "other workers and beat": lambda: hosts["work2"],
            "RADIUS": lambda: hosts["radius1"],
            "database's primary": self.databases.primary,
            "database's replica": self.databases.replica,
            "cache's primary": self.caches.primary,
            "cache's replica": self.caches.replica,
        }
        del targets[
            "other web"
        ]  # It is the same as the first; the other worker is not: the first has just been away.
        for what, choose in targets.items():
            for how in ("kill", "cut"):
                yield Fault(how, what, choose)

    def bill(self) -> BillingRun:
        """Start the billing run of the next month."""
        month = FIRST_RUN[1] - 1 + self.runs
        run = BillingRun(self.load, date(FIRST_RUN[0] + month // 12, month % 12 + 1, 1))
        self.runs += 1
        run.start()
        return run

    def strike(self, fault: Fault, *, seconds: float) -> Outcome:
        """Do it, leave it so for `seconds`, undo it, wait until all is well, and compare what is stored."""
        host = fault.choose()
        before = Counter(self.load.statuses)
        began = time.monotonic()
        host.cut() if fault.how == "cut" else host.kill()
        time.sleep(2)
        run = self.bill()
        time.sleep(max(0.0, seconds - 2))
        host.mend() if fault.how == "cut" else host.boot()
        mended = time.monotonic()
        trouble = self.wait_until_healthy()
        healthy = time.monotonic() - mended
        deadline = time.monotonic() + RUN_SECONDS
        while run.took is None and time.monotonic() < deadline:
            time.sleep(0.5)
        until = time.monotonic()
        found = self._check()
        found.need(not trouble, f"not well again after {HEALTHY_SECONDS:.0f} s: {trouble}")
        found.need(run.took is not None, f"the run of {run.on} was not issued")
        silences = {name: clock.longest_silence(began, until) for name, clock in self.load.clocks.items()}
        return Outcome(
            fault,
            host.name,
            silences,
            run.took,
            healthy,
            found,
            self.network.restarts(),
            self.load.statuses - before,
        )

    def wait_until_healthy(self, seconds: float = HEALTHY_SECONDS) -> str:
        """Return what is still not well after so long; empty when everything is."""
        deadline = time.monotonic() + seconds
        while (trouble := self._trouble()) and time.monotonic() < deadline:
            time.sleep(1)
        return trouble

    def _check(self) -> Findings:
        """Compare again for a while: what a NAS was just acknowledged may still wait in a spool."""
        deadline = time.monotonic() + 30
        while True:
            found = checks.check(self.databases.url(database="ispcore"), self.load, at_rest=False)
            if not found.wrong or time.monotonic() > deadline:
                return found
            time.sleep(2)

    def _trouble(self) -> str:
        hosts = self.network.hosts
        for say in (self.databases.trouble, self.caches.trouble):
            if words := say():
                return words
        for name in ("web1", "web2"):
            if (status := _ready(hosts[name].address)) != 200:
                return f"{name} answers {status}"
        for name in ("radius1", "radius2"):
            if waiting := radius.spooled(hosts[name]):
                return f"{waiting} bytes wait on {name}"
        return ""


def _ready(address: str) -> int:
    connection = http.client.HTTPConnection(address, 8000, timeout=3)
    try:
        connection.request("GET", "/ready")
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
