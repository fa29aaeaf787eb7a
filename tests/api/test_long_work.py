"""Work that outlasts a request: waited for as long as the caller prefers, then a task to come back to."""

import time

import pytest
from django.utils import timezone

from demo.olt import SimulatedOlt
from hardware.models import Olt, Onu
from ispcore.jobs.api import preferred_wait
from ispcore.jobs.models import Job, JobStatus
from ispcore.tenants.context import tenant_context
from tests.factories import OltFactory


def wait_header(text: str):
    return type("Request", (), {"headers": {"Prefer": text} if text else {}})()


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        ("", 7), ("wait=3", 3), ("wait=0", 0), ("wait=0005", 5), ("wait=60", 60), ("wait=61", 60), ("wait=99999", 60),
        ("wait=" + "9" * 5000, 60), ("respond-async", 0), ("respond-async, wait=5", 0), ("return=minimal; wait=5", 5),
        ("wait=x", 7), ("wait=-1", 7), ("wait=٣", 7), ("await=3", 7), ("nonsense", 7),
    ],
)  # fmt: skip
def test_reads_what_the_caller_prefers(prefer, seconds):
    assert preferred_wait(wait_header(prefer), default=7) == seconds


@pytest.fixture
def simulator():
    with SimulatedOlt("huawei", onus=4, pon_ports=2) as running:
        yield running


@pytest.fixture
def olt(simulator, tenant):
    with tenant_context(tenant.pk):
        return OltFactory(ip=simulator.host, snmp_port=simulator.port, community=simulator.community)


class TestWithAWorker:
    @pytest.fixture(autouse=True)
    def _worker(self, worker):
        pass

    def test_the_result_comes_when_it_is_there_in_time(self, api, olt):
        response = api.post("hardware/olt/discover", {"olt_id": str(olt.pk)})

        data = response.json()["data"]
        assert response.status_code == 200
        assert (data["status"], data["seen"], data["new"], len(data["onus"])) == ("success", 4, 4, 4)
        task = api.get(response["Location"].removeprefix("/api/v1/")).json()["data"]
        assert task["status"] == "succeeded"
        assert task["result"] == data
        assert task["error"] is None

    def test_who_does_not_wait_gets_the_task_and_finds_the_result_there(self, api, olt):
        response = api.post("hardware/olt/discover", {"olt_id": str(olt.pk)}, Prefer="respond-async")

        assert response.status_code == 202
        assert response["Location"] == f"/api/v1/tasks/{response.json()['data']['id']}"
        task = follow_to_its_end(api, response["Location"])
        assert (task["status"], task["result"]["seen"]) == ("succeeded", 4)

    def test_a_replay_waits_and_gives_the_result(self, api, olt, tenant):
        body, key = {"olt_id": str(olt.pk)}, {"X_Idempotency_Key": "k"}
        first = api.post("hardware/olt/discover", body, Prefer="respond-async", **key)

        again = api.post("hardware/olt/discover", body, **key)

        assert (first.status_code, again.status_code) == (202, 200)
        assert again["Idempotency-Replayed"] == "true"
        assert again.json()["data"]["seen"] == 4
        with tenant_context(tenant.pk):
            assert Job.objects.count() == 1

    def test_a_device_that_is_silent_is_503_and_stores_nothing(self, api, olt, tenant, simulator):
        simulator.stop()
        with tenant_context(tenant.pk):
            Olt.objects.update(snmp_port=9)  # Nobody listens at the discard port.

        response = api.post("hardware/olt/discover", {"olt_id": str(olt.pk)}, Prefer="wait=60")

        assert (response.status_code, response.json()["error"]["code"]) == (503, "device_unreachable")
        with tenant_context(tenant.pk):
            assert not Onu.objects.exists()
            assert Job.objects.get().status == JobStatus.FAILED


@pytest.mark.django_db(transaction=True)
class TestWithASlowDevice:
    @pytest.fixture
    def simulator(self):
        with SimulatedOlt("huawei", onus=4, pon_ports=2, latency_ms=4000) as running:
            yield running

    def test_waits_as_long_as_preferred_and_no_longer(self, api, olt):
        started = time.monotonic()

        response = api.post("hardware/olt/discover", {"olt_id": str(olt.pk)}, Prefer="wait=1")

        assert response.status_code == 202
        assert 1 <= time.monotonic() - started < 3
        assert response.json()["data"]["status"] in ("queued", "running")

    def test_a_second_request_joins_the_first(self, api, olt, tenant):
        first, second = (
            api.post("hardware/olt/discover", {"olt_id": str(olt.pk)}, Prefer="respond-async")
            for _ in range(2)
        )

        assert first["Location"] == second["Location"]
        with tenant_context(tenant.pk):
            assert Job.objects.count() == 1

    def test_an_unknown_device_is_404_and_starts_nothing(self, api, olt, tenant):
        response = api.post("hardware/olt/discover", {"ip": "203.0.113.9"})

        assert (response.status_code, response.json()["error"]["code"]) == (404, "olt_not_registered")
        with tenant_context(tenant.pk):
            assert not Job.objects.exists()

    @pytest.mark.parametrize("wrong", [{"community": "guess"}, {"vendor": "ufiber"}, {"ip": "192.0.2.99"}])
    def test_a_device_described_wrongly_is_refused(self, wrong, api, olt, tenant):
        response = api.post("hardware/olt/discover", {"olt_id": str(olt.pk), **wrong})

        assert (response.status_code, response.json()["error"]["code"]) == (409, "olt_disagrees")
        assert b"guess" not in response.content
        with tenant_context(tenant.pk):
            assert not Job.objects.exists()

    def test_a_cancelled_task_has_ended(self, api, olt):
        task = api.post("hardware/olt/discover", {"olt_id": str(olt.pk)}, Prefer="wait=0").json()["data"]

        cancelled = api.post(f"tasks/{task['id']}/cancel")
        again = api.post(f"tasks/{task['id']}/cancel")

        assert cancelled.json()["data"]["status"] == "cancelled"
        assert (again.status_code, again.json()["error"]["code"]) == (409, "job_not_active")


@pytest.mark.django_db
def test_a_task_shows_how_far_it_is(api, acting):
    job = Job.objects.create(
        kind="hardware.discover_olt", label="Discovery", status=JobStatus.RUNNING, progress_done=3, progress_total=8,
        progress_message="Reading signal levels", started_at=timezone.now(),
    )  # fmt: skip

    shown = api.get(f"tasks/{job.pk}").json()["data"]

    assert shown["progress"] == {"done": 3, "total": 8, "message": "Reading signal levels"}
    assert (shown["status"], shown["kind"], shown["result"], shown["error"], shown["finished_at"]) == (
        "running", "hardware.discover_olt", None, None, None,
    )  # fmt: skip


@pytest.mark.django_db
def test_a_failed_task_says_why(api, acting):
    job = Job.objects.create(
        kind="x",
        status=JobStatus.FAILED,
        finished_at=timezone.now(),
        error_code="device_unreachable",
        error_message="Silent.",
    )

    assert api.get(f"tasks/{job.pk}").json()["data"]["error"] == {
        "code": "device_unreachable",
        "message": "Silent.",
    }


def follow_to_its_end(api, location: str) -> dict:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        task: dict = api.get(location.removeprefix("/api/v1/")).json()["data"]
        if task["status"] not in ("queued", "running"):
            return task
        time.sleep(0.05)
    raise AssertionError("the task did not end")
