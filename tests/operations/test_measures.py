"""What Prometheus is told of the installation: right numbers, at a cost that history does not raise."""

import json
import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from aaa.models import AuthAttempt
from ispcore import measures, redis
from ispcore.celery import app
from ispcore.operations import pulse
from ispcore.tenants.context import tenant_context
from tests.operations import watched_rows

pytestmark = pytest.mark.django_db(databases=["default", "platform"], transaction=True)

OLD = 3000
MOST_PAGES_MORE = 12  # A deeper index, and what the rows of the newest minutes lie between.


@pytest.fixture(autouse=True)
def patience(monkeypatch) -> None:
    """Numbers are asked for here, and whoever runs the tests may be busy."""
    monkeypatch.setattr(measures, "BUDGET_SECONDS", 120.0)
    monkeypatch.setattr(measures, "STATEMENT_SECONDS", 60.0)


def scrape() -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text = Client().get("/metrics").content.decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(found: dict[Any, float], name: str, **labels: str) -> float:
    return found[name, tuple(sorted(labels.items()))]


def pages(measure: measures.Measure) -> int:
    """Return how many pages reading a measure touches, as it is read: by the platform role, with its settings."""
    ((plan,),) = measures.query(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {measure.sql}", seconds=1)
    top = (plan if isinstance(plan, list) else json.loads(plan))[0]["Plan"]
    return int(top["Shared Hit Blocks"]) + int(top["Shared Read Blocks"])


def pages_of_all() -> dict[str, int]:
    return {measure.name: pages(measure) for measure in measures.all_measures() if measure.sql}


class TestWhatIsTold:
    def test_of_an_empty_installation_is_nothing_wrong(self):
        found = scrape()

        failed = {
            labels for (name, labels), told in found.items() if name == "ispcore_measure_failed" and told
        }
        assert failed == set()
        assert value(found, "ispcore_radius_log_ins", reason="accepted") == 0
        assert value(found, "ispcore_outbox_events") == 0
        assert value(found, "ispcore_olts_polled") == 0
        assert value(found, "ispcore_workers", queue="billing") == 0

    def test_is_counted_over_all_tenants(self, tenant, other_tenant):
        watched_rows.make_some_of_all(tenant)
        watched_rows.make_some_of_all(other_tenant)

        found = scrape()

        assert value(found, "ispcore_radius_log_ins", reason="accepted") == 6
        assert value(found, "ispcore_radius_log_ins", reason="password") == 4
        assert value(found, "ispcore_session_actions_ended_lately", kind="coa", outcome="timeout") == 4
        assert value(found, "ispcore_session_actions_ended_lately", kind="coa", outcome="ack") == 0
        assert (value(found, "ispcore_nas"), value(found, "ispcore_nas_silent")) == (4, 2)
        assert value(found, "ispcore_jobs", kind="billing.plan_run", status="queued") == 2
        assert value(found, "ispcore_jobs_without_worker") == 2
        assert value(found, "ispcore_jobs_queued", queue="billing") == 2
        assert 180 <= value(found, "ispcore_jobs_oldest_seconds", queue="billing") < 300
        assert value(found, "ispcore_jobs_ended_lately", kind="hardware.read_onu", status="succeeded") == 4
        assert value(found, "ispcore_outbox_events") == 2
        assert value(found, "ispcore_webhooks", state="delivering") == 2
        assert value(found, "ispcore_webhooks", state="failing") == 2
        assert (value(found, "ispcore_olts_polled"), value(found, "ispcore_olts_late")) == (4, 2)
        assert value(found, "ispcore_olts_failing") == 2
        assert 7200 <= value(found, "ispcore_olt_oldest_seconds") < 7320
        assert 7200 <= value(found, "ispcore_olt_late_seconds", tenant="south", olt="Late") < 7320
        assert value(found, "ispcore_outage_customers", status="suspected") == 80
        assert value(found, "ispcore_billing_runs", status="issuing") == 2
        assert value(found, "ispcore_billing_runs_stopped", status="issuing") == 2
        assert value(found, "ispcore_billing_run_invoices_planned", status="issuing") == 200
        assert value(found, "ispcore_billing_run_invoices_issued", status="issuing") == 80
        assert value(found, "ispcore_dunning_nights", status="waiting") == 2
        assert value(found, "ispcore_ledger_findings") == 4
        assert value(found, "ispcore_tenant_info", tenant_id=str(tenant.pk), tenant="north") == 1
        assert value(found, "ispcore_database_connections", role="isp_app") >= 1

    def test_a_refusal_that_goes_on_is_one(self, tenant):
        now = timezone.now()
        with tenant_context(tenant.pk):
            watched_rows.make_log_ins(1, minutes=4, accepted=False, reason="mac", times=900)
            watched_rows.make_log_ins(5, minutes=4)
            AuthAttempt.objects.filter(reason="mac").update(last_at=now - timedelta(seconds=5))

        found = scrape()

        assert value(found, "ispcore_radius_log_ins", reason="mac") == 1
        assert value(found, "ispcore_radius_log_ins", reason="accepted") == 0

    def test_of_a_tenants_requests_is_the_seconds_they_took(self, api, tenant):
        api.get("me")
        api.get("me")

        found = scrape()

        assert value(found, "ispcore_tenant_request_seconds_count", tenant_id=str(tenant.pk)) == 2
        assert value(found, "ispcore_tenant_request_seconds_sum", tenant_id=str(tenant.pk)) > 0

    def test_one_that_cannot_be_read_is_said_to_be_and_spoils_no_other(self, monkeypatch):
        slow = measures.Measure("aaa_slow", series=(measures.Series("x", "x"),), sql="SELECT pg_sleep(30)")
        wrong = measures.Measure("aaa_wrong", series=(measures.Series("y", "y"),), sql="SELECT no_such")
        all_of_them = (slow, wrong, *measures.all_measures())
        monkeypatch.setattr(measures, "all_measures", lambda: all_of_them)
        monkeypatch.setattr(measures, "STATEMENT_SECONDS", 5.0)

        found = scrape()

        assert value(found, "ispcore_measure_failed", measure="aaa_slow") == 1
        assert value(found, "ispcore_measure_failed", measure="aaa_wrong") == 1
        assert value(found, "ispcore_measure_failed", measure="jobs") == 0
        assert value(found, "ispcore_outbox_events") == 0

    def test_beyond_the_time_a_scrape_has_is_left_out(self, monkeypatch):
        monkeypatch.setattr(measures, "BUDGET_SECONDS", 0.0)

        found = scrape()

        told = {name for name, _ in found if name.startswith("ispcore_")}
        assert told >= {"ispcore_measure_failed", "ispcore_measure_seconds"}
        assert value(found, "ispcore_measure_failed", measure="jobs") == 1
        assert "ispcore_outbox_events" not in told


def test_a_backup_is_told_of_when_one_was_taken():
    before = scrape()
    pulse.note_backup()

    assert ("ispcore_backup_taken_timestamp_seconds", ()) not in before
    assert 0 <= time.time() - value(scrape(), "ispcore_backup_taken_timestamp_seconds") < 60


class TestQueues:
    def test_tell_their_length_and_the_age_of_what_comes_next(self):
        for _ in range(3):
            app.send_task("ispcore.jobs.tasks.sweep", queue="radius")
            time.sleep(0.01)
        key = "celery:radius"
        newest: Any = redis.client().lpop(key)
        last: Any = redis.client().rpop(key)
        oldest = json.loads(last)
        oldest["headers"]["sent_at"] -= 90
        redis.client().rpush(key, json.dumps(oldest))
        redis.client().lpush(key, newest)

        found = scrape()

        assert value(found, "ispcore_queue_messages", queue="radius") == 3
        assert 90 <= value(found, "ispcore_queue_oldest_seconds", queue="radius") < 150
        assert value(found, "ispcore_queue_messages", queue="default") == 0
        assert value(found, "ispcore_queue_oldest_seconds", queue="default") == 0

    def test_tell_which_workers_live(self):
        now = time.time()
        for name, age in (("a", 0), ("b", 30), ("gone", 3600), ("long gone", 30 * 24 * 3600)):
            sign = json.dumps({"queues": ["network", "devices"], "at": now - age})
            redis.client().hset(pulse.WORKERS_KEY, name, sign)
        redis.client().set(pulse.CLOCK_KEY, repr(now - 7))

        found = scrape()

        assert value(found, "ispcore_workers", queue="network") == 2
        assert value(found, "ispcore_workers", queue="devices") == 2
        assert value(found, "ispcore_workers", queue="webhooks") == 0
        assert value(found, "ispcore_beat_sent_timestamp_seconds") == pytest.approx(now - 7)
        assert set(redis.client().hkeys(pulse.WORKERS_KEY)) == {"a", "b", "gone"}


class TestCost:
    def test_is_not_raised_by_what_is_over(self, tenant):
        watched_rows.make_some_of_all(tenant)
        before = pages_of_all()

        with tenant_context(tenant.pk):
            watched_rows.make_log_ins(OLD, minutes=120)
            watched_rows.make_ended_jobs(OLD, hours=24)
            watched_rows.make_delivered_events(OLD, hours=24)
            watched_rows.make_ended_actions(OLD, minutes=120)
        after = pages_of_all()

        grown = {
            name: (before[name], after[name])
            for name in before
            if after[name] > before[name] + MOST_PAGES_MORE
        }
        assert len(before) >= 20
        assert grown == {}

    def test_of_another_tenant_is_a_few_pages(self, tenant, make_tenant):
        watched_rows.make_some_of_all(tenant)
        before = sum(pages_of_all().values())

        others = [make_tenant(f"isp{number}") for number in range(100)]
        for other in others:
            with tenant_context(other.pk):
                watched_rows.make_log_ins(20, minutes=120)
                watched_rows.make_ended_jobs(20, hours=24)
        after = sum(pages_of_all().values())

        assert after - before <= len(others) * MOST_PAGES_MORE

    def test_is_the_same_number_of_statements(self, tenant, other_tenant):
        with connections["platform"].cursor():
            pass
        counted = []
        for more in (tenant, other_tenant):
            watched_rows.make_some_of_all(more)
            with _counted() as statements:
                scrape()
            counted.append(len(statements))

        assert counted[0] == counted[1] > 0


class _counted:  # noqa: N801  (reads as a verb where it is used)
    def __enter__(self) -> list[str]:
        self.statements: list[str] = []

        def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            self.statements.append(sql)
            return execute(sql, params, many, context)

        self.wrapper = connections["platform"].execute_wrapper(note)
        self.wrapper.__enter__()
        return self.statements

    def __exit__(self, *exc: Any) -> None:
        self.wrapper.__exit__(*exc)
