"""Files taken in batch by batch: one that breaks off, and what changes between two batches."""

from typing import Any

import pytest
from django.utils import timezone

from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job, JobStatus
from subscribers.models import (
    ImportStatus,
    Plan,
    Subscriber,
)
from subscribers.services import imports
from tests.factories import PlanFactory
from tests.subscribers.importing import (
    check,
    counts,
    csv_of,
    errors,
    take_in,
    upload,
)

pytestmark = pytest.mark.django_db
HEADER = ["external_id", "name", "phone", "address", "plan", "service status"]


def test_a_file_that_breaks_off_fails_in_words_and_keeps_what_it_did(acting, monkeypatch):
    monkeypatch.setattr("ispcore.files.tables.MAX_ROWS", 1)
    of_import = upload(b"name\nMaria\n")
    check(of_import, acting)
    monkeypatch.setattr("ispcore.files.tables.MAX_ROWS", 0)

    take_in(of_import, acting)

    assert (of_import.status, Job.objects.order_by("-id")[0].status) == (
        ImportStatus.FAILED,
        JobStatus.FAILED,
    )
    assert "more than" in of_import.message


def test_what_is_wrong_further_on_leaves_the_batches_before_it_in(acting, monkeypatch):
    monkeypatch.setattr("subscribers.services.imports.runs.BATCH", 2)
    of_import = check(upload(csv_of([["name"], *([f"Maria {n}"] for n in range(4))])), acting)
    monkeypatch.setattr("ispcore.files.tables.MAX_ROWS", 2)

    take_in(of_import, acting)

    assert (of_import.status, of_import.rows_done) == (ImportStatus.FAILED, 2)
    assert sorted(Subscriber.objects.values_list("full_name", flat=True)) == ["Maria 0", "Maria 1"]


def test_rows_read_ahead_mean_what_is_there_when_they_are_taken_in(acting, monkeypatch):
    monkeypatch.setattr("subscribers.services.imports.runs.BATCH", 2)
    PlanFactory(code="FIBRE-100")
    rows = [[f"C-{n}", f"Maria {n}", "", "Rua do Porto 12", "fibre-100", "active"] for n in range(4)]
    of_import = check(upload(csv_of([HEADER, *rows])), acting)

    def rename_after_first(run: jobs.Run) -> dict[str, Any]:
        beat = run.progress

        def progress(done: int, *others: Any) -> None:
            if done == 2:
                Plan.objects.update(code="FIBRE-200", name="Two hundred")
            beat(done, *others)

        monkeypatch.setattr(run, "progress", progress)
        return imports.run_import(run, at=timezone.now())

    job = imports.request_run(import_id=of_import.pk)
    jobs.perform(tenant_id=str(acting.pk), job_id=str(job.pk), work=rename_after_first)

    of_import.refresh_from_db()
    assert counts(of_import) == (2, 0, 0, 2)
    assert errors(of_import) == [
        (row, "plan", "Plan, by code or name: There is no plan with the code or name “fibre-100”.")
        for row in (4, 5)
    ]
