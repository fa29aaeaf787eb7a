"""A billing run of every month in turn, driven through the API as a person would, whatever fails on the way."""

import threading
import time
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from bench.drill.load import Load


@dataclass
class BillingRun:
    """The run of one day; `took` is the time from the first request until it was issued."""

    load: Load
    on: date
    took: float | None = None
    steps: int = 0

    def start(self) -> threading.Thread:
        thread = threading.Thread(target=self._drive, daemon=True)
        thread.start()
        return thread

    def _drive(self) -> None:
        began = time.monotonic()
        while self.took is None and not self.load.ending.wait(0.5):
            status, found = self.load.ask("GET", f"/billing/runs?on={self.on}")
            if status != 200:
                continue
            run = next((one for one in found if one["status"] != "discarded"), None)
            if run is not None and run["status"] == "issued":
                self.took = time.monotonic() - began
            elif run is None:
                self._post("/billing/invoices/generate", {"on": self.on.isoformat()})
            elif run["status"] == "planned":
                self._post(f"/billing/runs/{run['id']}/approve", {"plan_hash": run["plan_hash"]})
            elif self._failed(run["task_id"]):
                self._go_on(UUID(run["id"]))

    def _go_on(self, run_id: UUID) -> None:
        """Press the admin's button for a run whose job ended: not taken by the queue, or its worker died too often."""
        from django.db import Error, connection

        from billing.services import runs
        from ispcore.errors import DomainError
        from ispcore.tenants.context import tenant_context

        try:
            with tenant_context(self.load.tenant_id):
                runs.continue_run(run_id=run_id)
            self.steps += 1
        except (DomainError, Error):
            connection.close()  # It is asked again in a moment.

    def _post(self, path: str, body: dict[str, str]) -> None:
        self.steps += 1
        status, _ = self.load.ask("POST", path, body, Prefer="wait=0")
        self.load.statuses[f"billing {status}"] += 1

    def _failed(self, task_id: str | None) -> bool:
        status, task = self.load.ask("GET", f"/tasks/{task_id}")
        return status == 200 and task["status"] in ("failed", "cancelled")
