"""What leaves the house when something in it breaks: the envelope, the truth, and no detail."""

import json
from collections.abc import Iterator

import pytest
from django.test import Client

from hardware.models import Olt
from ispcore import logs
from ispcore.tenants.context import tenant_context
from tests.api import faulty
from tests.api.installation import Installation, install
from tests.client import Api

UNAVAILABLE = (503, "dependency_unavailable")


def refusal(response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


@pytest.mark.django_db
@pytest.mark.urls("tests.api.faulty")
class TestCrash:
    @pytest.fixture
    def api(self, admin_user):
        return Api(admin_user)

    @pytest.mark.parametrize(
        ("verb", "path"), [("post", "crash"), ("get", "crash-outside"), ("get", "unwritable")]
    )
    def test_is_500_in_the_envelope_without_a_detail(self, verb, path, api):
        response = api.send(verb, path, b"", "application/json", X_Request_ID="mine-1")

        body = response.json()
        assert refusal(response) == (500, "internal_error")
        assert body["success"] is False
        assert body["meta"] == {"request_id": "mine-1", "api_version": "v1"}
        assert response["X-Request-ID"] == "mine-1"
        assert not any(
            word in response.content for word in (b"hunter2", b"RuntimeError", b"Traceback", b"object")
        )

    @pytest.mark.parametrize("as_json", [False, True])
    def test_is_logged_with_its_trace_and_without_its_variables(self, as_json, api, settings, capfd):
        logs.configure({"json": as_json, "level": "INFO"})

        api.post("crash", X_Request_ID="mine-1")

        logged = capfd.readouterr().err
        logs.configure(settings.LOGGING)
        assert faulty.DETAIL in logged
        assert "mine-1" in logged
        assert "Traceback (most recent call last)" in logged
        assert faulty.SECRET not in logged

    def test_changes_nothing(self, api, tenant):
        api.post("crash", X_Idempotency_Key="k")

        with tenant_context(tenant.pk):
            assert not Olt.objects.exists()
        assert refusal(api.post("crash", X_Idempotency_Key="k")) == (500, "internal_error")

    def test_of_the_database_is_503_and_says_when_to_come_back(self, api):
        response = api.get("lost-database")

        assert refusal(response) == UNAVAILABLE
        assert response["Retry-After"] == "5"
        assert b"hunter2" not in response.content

    def test_of_a_page_is_no_json_and_no_detail(self):
        response = Client(raise_request_exception=False).get("/crash")

        assert response.status_code == 500
        assert b"hunter2" not in response.content


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with install(tmp_path_factory.mktemp("installation")) as installation:
        yield installation


def active_tasks(running: Installation) -> int:
    found = [running.call("GET", f"/api/v1/tasks?status={status}").json() for status in ("queued", "running")]
    return sum(page["meta"]["pagination"]["total"] for page in found)


class TestOverTheWire:
    @pytest.mark.parametrize("charset", ["hex", "rot13", "idna", "undefined"])
    def test_a_charset_that_is_none_does_no_harm(self, charset, running):
        response = running.call(
            "GET", "/api/v1/tasks?kind=%41", headers={"Content-Type": f"application/json; charset={charset}"}
        )

        assert (response.status_code, response.json()["data"]) == (200, [])

    def test_a_large_body_is_413(self, running):
        response = running.call("POST", "/api/v1/hardware/olts", json={"notes": "x" * 3_000_000})

        assert refusal(response) == (413, "request_too_large")

    def test_an_unchanged_record_is_304_without_a_body(self, running):
        path = f"/api/v1/hardware/olts/{running.olt_id}"
        tag = running.call("GET", path).headers["ETag"]

        response = running.call("GET", path, headers={"If-None-Match": tag})

        assert (response.status_code, response.content) == (304, b"")

    def test_a_head_is_a_get_without_a_body(self, running):
        response = running.call("HEAD", "/api/v1/tasks")

        assert (response.status_code, response.content) == (200, b"")

    def test_host_names_that_are_not_ours_are_400(self, running):
        response = running.call("GET", "/api/v1/me", headers={"Host": "evil.example"})

        assert refusal(response) == (400, "malformed_request")


class TestWithoutRedis:
    @pytest.fixture(autouse=True)
    def _stopped(self, running):
        running.valkey.stop()
        yield
        running.valkey.start(die_with_parent=True)
        running.wait_for("/ready", 200)

    def test_reads_and_writes_still_work(self, running):
        path = f"/api/v1/hardware/olts/{running.olt_id}"

        assert running.call("GET", path).status_code == 200
        assert running.call("PATCH", path, json={"site": "Hill"}).json()["data"]["site"] == "Hill"

    def test_discovery_is_503_and_nothing_runs(self, running):
        body, key = {"olt_id": running.olt_id}, {"X-Idempotency-Key": "k"}

        first = running.call("POST", "/api/v1/hardware/olt/discover", json=body, headers=key)
        again = running.call("POST", "/api/v1/hardware/olt/discover", json=body, headers=key)

        assert (refusal(first), refusal(again)) == (UNAVAILABLE, UNAVAILABLE)
        assert max(each.elapsed.total_seconds() for each in (first, again)) < 2
        assert active_tasks(running) == 0

    def test_readiness_names_it(self, running):
        response = running.wait_for("/ready", 503)

        failed = {name for name, state in response.json().items() if state.startswith("failed")}
        assert failed == {"redis", "broker"}

    def test_log_in_is_closed(self, running):
        response = running.call(
            "POST", "/api/v1/auth/token", json={"username": "admin@north.example", "password": "x"}
        )

        assert refusal(response) == UNAVAILABLE


def test_discovery_works_again_with_the_key_that_was_refused(running):
    response = running.call(
        "POST", "/api/v1/hardware/olt/discover", json={"olt_id": running.olt_id},
        headers={"X-Idempotency-Key": "k", "Prefer": "respond-async"},
    )  # fmt: skip

    assert response.status_code == 202
    assert active_tasks(running) == 1
    running.call("POST", response.headers["Location"] + "/cancel")


class TestWithoutPostgres:
    def test_is_503_in_the_envelope_and_recovers_by_itself(self, running):
        assert running.call("GET", "/api/v1/me").status_code == 200

        running.postgres.stop()
        away = [running.call("GET", path) for path in ("/api/v1/me", "/api/v1/hardware/olts")]
        write = running.call("POST", "/api/v1/hardware/olts", json={"name": "Lost"})
        alive, ready = running.call("GET", "/health"), running.call("GET", "/ready")
        running.postgres.start(die_with_parent=True)

        assert [refusal(each) for each in (*away, write)] == [UNAVAILABLE] * 3
        assert all(each.headers["Retry-After"] == "5" for each in away)
        assert all(each.json()["meta"]["request_id"] == each.headers["X-Request-ID"] for each in away)
        assert "127.0.0.1" not in json.dumps([each.json() for each in away])
        assert alive.status_code == 200
        assert ready.status_code == 503
        assert "does not answer (OperationalError)" in ready.json()["database"]
        names = [olt["name"] for olt in running.wait_for("/api/v1/hardware/olts", 200).json()["data"]]
        assert names == ["Central"]

    def test_a_restart_between_two_requests_is_not_noticed(self, running):
        assert running.call("GET", "/api/v1/me").status_code == 200

        running.postgres.stop()
        running.postgres.start(die_with_parent=True)

        assert [running.call("GET", "/api/v1/me").status_code for _ in range(8)] == [200] * 8
