"""Changes of data: every row once, in short batches, whatever becomes of the worker."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from ispcore import data_changes
from ispcore.data_changes import DataChange
from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job, JobStatus
from ispcore.jobs.tasks import sweep
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from subscribers.models import Zone
from tests import servers
from tests.factories import ZoneFactory
from tests.operations import zone_change
from tests.workers import celery_worker, wait_until

pytestmark = pytest.mark.django_db


def make_zones(tenant: Tenant, *names: str) -> None:
    with tenant_context(tenant.pk):
        for name in names:
            ZoneFactory(name=name)


def names(tenant: Tenant) -> list[str]:
    with tenant_context(tenant.pk):
        return sorted(Zone.objects.values_list("name", flat=True))


def times_changed(tenant: Tenant) -> list[str]:
    """Return the name that each change of a zone gave it."""
    with tenant_context(tenant.pk):
        history = apps.get_model("subscribers", "ZoneHistory").objects
        changed = history.filter(tenant_id=tenant.pk, pgh_label="changed")
        return sorted(changed.values_list("name", flat=True))


def say(*arguments: str) -> list[str]:
    out = StringIO()
    call_command("change_data", *arguments, stdout=out)
    return out.getvalue().splitlines()


def jobs_of(tenant: Tenant) -> list[Job]:
    with tenant_context(tenant.pk):
        return list(Job.objects.order_by("pk"))


def perform(tenant: Tenant) -> Job:
    """Do the newest job of a tenant as a worker does, and return what became of it."""
    jobs.perform(tenant_id=str(tenant.pk), job_id=str(jobs_of(tenant)[-1].pk), work=data_changes.change_rows)
    return jobs_of(tenant)[-1]


class TestBatches:
    def test_every_row_is_changed_once(self, tenant: Tenant) -> None:
        make_zones(tenant, "raw a", "raw b", "raw c", "raw d", "raw e", "old")
        said = say(zone_change.NAME)

        ended = perform(tenant)

        assert said == [f"subscribers.name_zones: north: job {ended.pk}"]
        assert (ended.status, ended.result, ended.queue) == (JobStatus.SUCCEEDED, {"changed": 5}, "default")
        assert names(tenant) == ["a", "b", "c", "d", "e", "old"]
        assert times_changed(tenant) == ["a", "b", "c", "d", "e"]

    def test_no_batch_is_larger_than_its_size(self, tenant: Tenant) -> None:
        make_zones(tenant, "raw a", "raw b", "raw c", "raw d", "raw e")
        say(zone_change.NAME)

        with CaptureQueriesContext(connection) as captured:
            perform(tenant)

        updates = [q["sql"] for q in captured if 'UPDATE "subscribers_zone"' in q["sql"]]
        keys = [sql.rpartition(" IN (")[2].count("'::uuid") for sql in updates]
        assert keys == [2, 2, 1]

    def test_a_second_start_while_it_runs_starts_no_second_job(self, tenant: Tenant) -> None:
        make_zones(tenant, "raw a")

        first, second = say(zone_change.NAME), say()

        assert first == second
        assert len(jobs_of(tenant)) == 1

    def test_a_second_start_after_its_end_changes_nothing(self, tenant: Tenant) -> None:
        make_zones(tenant, "raw a", "raw b", "raw c")
        say(zone_change.NAME)
        perform(tenant)

        said = say(zone_change.NAME)

        assert said == ["No rows are left to change."]
        assert len(jobs_of(tenant)) == 1
        assert times_changed(tenant) == ["a", "b", "c"]

    def test_a_cancelled_one_stops_after_its_batch_and_goes_on_when_started_again(
        self, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def name_and_cancel(zones: QuerySet[Zone]) -> None:
            zone_change.name_zones(zones)
            jobs.cancel(job_id=jobs_of(tenant)[-1].pk)

        known = data_changes.find_change(zone_change.NAME)
        make_zones(tenant, "raw a", "raw b", "raw c", "raw d", "raw e")
        with monkeypatch.context() as patch:
            cancelling = DataChange(known.name, left=known.left, change=name_and_cancel, size=2)
            patch.setitem(data_changes._changes, known.name, cancelling)
            say(zone_change.NAME)
            cancelled = perform(tenant)
        changed_until_then = len(times_changed(tenant))

        say(zone_change.NAME)
        ended = perform(tenant)

        assert (cancelled.status, changed_until_then) == (JobStatus.CANCELLED, 2)
        assert (ended.status, ended.result) == (JobStatus.SUCCEEDED, {"changed": 3})
        assert times_changed(tenant) == ["a", "b", "c", "d", "e"]

    def test_one_that_leaves_its_rows_as_they_are_ends_and_is_told_of(
        self, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        idle = DataChange("subscribers.idle", left=zone_change.unnamed, change=QuerySet.count, size=1)
        monkeypatch.setitem(data_changes._changes, idle.name, idle)
        make_zones(tenant, "raw a", "raw b")
        say(idle.name)

        ended = perform(tenant)

        assert (ended.status, ended.result) == (JobStatus.SUCCEEDED, {"changed": 2})
        with pytest.raises(CommandError, match=r"^Rows are left to change: subscribers\.idle\.$"):
            say(idle.name, "--check")

    def test_one_that_this_release_does_not_know_fails(self, tenant: Tenant) -> None:
        with tenant_context(tenant.pk):
            jobs.enqueue(kind=data_changes.KIND, params={"change": "subscribers.gone"}, label="Gone")

        ended = perform(tenant)

        assert (ended.status, ended.error_code) == (JobStatus.FAILED, "unknown_data_change")
        assert ended.error_message == "This release has no data change subscribers.gone."


class TestTenants:
    def test_none_touches_the_rows_of_another(self, tenant: Tenant, other_tenant: Tenant) -> None:
        make_zones(tenant, "raw a", "raw b", "raw c")
        make_zones(other_tenant, "raw a", "raw b", "raw c")
        say(zone_change.NAME)

        perform(tenant)

        assert names(tenant) == ["a", "b", "c"]
        assert names(other_tenant) == ["raw a", "raw b", "raw c"]
        assert times_changed(other_tenant) == []
        assert perform(other_tenant).result == {"changed": 3}
        assert names(other_tenant) == ["a", "b", "c"]

    def test_it_is_started_for_each_that_has_rows_left_even_switched_off(
        self, tenant: Tenant, other_tenant: Tenant
    ) -> None:
        make_zones(tenant, "done")
        make_zones(other_tenant, "raw a")
        Tenant.objects.filter(pk=other_tenant.pk).update(is_active=False)

        say()

        assert jobs_of(tenant) == []
        (job,) = jobs_of(other_tenant)
        assert (job.kind, job.params) == (data_changes.KIND, {"change": zone_change.NAME})


class TestCheck:
    def test_it_tells_who_has_rows_left_and_starts_nothing(
        self, tenant: Tenant, other_tenant: Tenant, capsys: pytest.CaptureFixture[str]
    ) -> None:
        make_zones(tenant, "done")
        make_zones(other_tenant, "raw a")

        with pytest.raises(CommandError, match=r"^Rows are left to change: subscribers\.name_zones\.$"):
            call_command("change_data", "--check")

        assert capsys.readouterr().out == "subscribers.name_zones: south: has rows left\n"
        assert jobs_of(other_tenant) == []

    def test_nothing_is_left_after_the_change(self, tenant: Tenant) -> None:
        make_zones(tenant, "raw a", "raw b", "raw c")
        say()
        perform(tenant)

        assert say("--check") == ["No rows are left to change."]

    def test_a_name_that_is_not_known_is_refused(self) -> None:
        with pytest.raises(CommandError, match=r"^This release has no data change subscribers\.gone\.$"):
            say("subscribers.gone")


@contextmanager
def elsewhere(statement: str, *values: object, tenant: Tenant) -> Iterator[None]:
    """Hold what a statement locks in another connection for a block."""
    with psycopg.connect(servers.servers.owner_url) as other:
        other.execute("SELECT set_config('app.tenant_id', %s, true)", [str(tenant.pk)])
        assert other.execute(statement, values).fetchone() is not None
        yield
        other.rollback()


def test_while_a_batch_is_at_work_elsewhere_the_worker_is_given_back(tenant: Tenant) -> None:
    make_zones(tenant, "raw a")
    say()

    busy = "SELECT pg_advisory_xact_lock(hashtextextended('ispcore.data_changes', 0))"
    with elsewhere(busy, tenant=tenant):
        put_off = perform(tenant)

    assert (put_off.status, put_off.attempts) == (JobStatus.QUEUED, 0)
    assert perform(tenant).result == {"changed": 1}


@pytest.mark.django_db(databases=["default", "platform"], transaction=True)
def test_it_goes_on_where_a_killed_worker_left_it(tenant: Tenant, tmp_path: Path) -> None:
    make_zones(tenant, "raw a", "raw b", "raw c", "raw d", "raw e", "raw f")
    with tenant_context(tenant.pk):
        third: UUID = Zone.objects.order_by("pk").values_list("pk", flat=True)[zone_change.SIZE]
    module = zone_change.__name__

    # The second batch waits for a row, so that the worker dies in the middle of it.
    row = "SELECT 1 FROM subscribers_zone WHERE id = %s FOR UPDATE"
    with (
        elsewhere(row, third, tenant=tenant),
        celery_worker(tmp_path / "first.log", queues="default", app=module) as worker,
    ):
        say(zone_change.NAME)
        wait_until(lambda: len(times_changed(tenant)) == zone_change.SIZE)
        worker.kill()
        worker.wait()
    (killed,) = jobs_of(tenant)
    left_by_it = len(times_changed(tenant))
    with tenant_context(tenant.pk):
        # Instead of waiting for the lease to run out.
        Job.objects.update(heartbeat_at=Now() - jobs.LEASE * 2)
    taken_up = sweep()
    with celery_worker(tmp_path / "second.log", queues="default", app=module):
        wait_until(lambda: not jobs_of(tenant)[0].is_active)

    (ended,) = jobs_of(tenant)
    assert (killed.status, left_by_it, taken_up) == (JobStatus.RUNNING, 2, 1)
    assert (ended.status, ended.attempts, ended.result) == (JobStatus.SUCCEEDED, 2, {"changed": 4})
    assert times_changed(tenant) == ["a", "b", "c", "d", "e", "f"]
