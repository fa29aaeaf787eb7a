"""What stands around the API: origins, limits, documentation pages, probes and metrics."""

import re

import pytest
from django.contrib.staticfiles import finders
from django.test import Client

ORIGIN = "http://localhost:3000"
PREFLIGHT = {
    "Origin": ORIGIN,
    "Access-Control-Request-Method": "PATCH",
    "Access-Control-Request-Headers": "if-match",
}


@pytest.mark.django_db
class TestOrigins:
    def test_none_is_allowed_by_default(self, api):
        response = api.get("me", Origin=ORIGIN)
        preflight = Client().options("/api/v1/me", headers=PREFLIGHT)

        assert response.status_code == 200
        assert not [name for name in (*response.headers, *preflight.headers) if "Access-Control" in name]

    def test_one_on_the_list_is(self, api, settings):
        settings.CORS_ALLOWED_ORIGINS = [ORIGIN]

        response = api.get("me", Origin=ORIGIN)
        preflight = Client().options("/api/v1/me", headers=PREFLIGHT)

        assert response["Access-Control-Allow-Origin"] == preflight["Access-Control-Allow-Origin"] == ORIGIN
        assert "PATCH" in preflight["Access-Control-Allow-Methods"]
        allowed = preflight["Access-Control-Allow-Headers"].split(", ")
        assert {"authorization", "if-match", "x-tenant-id", "x-idempotency-key", "prefer"} <= set(allowed)
        assert {"ETag", "Location", "X-Request-ID"} <= set(
            response["Access-Control-Expose-Headers"].split(", ")
        )
        assert "Access-Control-Allow-Credentials" not in response

    @pytest.mark.parametrize(
        "origin", ["http://localhost:3001", "https://localhost:3000", "null", ORIGIN + ".evil"]
    )
    def test_others_are_not(self, origin, api, settings):
        settings.CORS_ALLOWED_ORIGINS = [ORIGIN]

        assert "Access-Control-Allow-Origin" not in api.get("me", Origin=origin)

    def test_a_refusal_can_be_read_from_an_allowed_one(self, anonymous, settings):
        settings.CORS_ALLOWED_ORIGINS = [ORIGIN]

        assert anonymous.get("me", Origin=ORIGIN)["Access-Control-Allow-Origin"] == ORIGIN

    def test_the_staff_site_is_never_shared(self, settings, db):
        settings.CORS_ALLOWED_ORIGINS = [ORIGIN]

        assert "Access-Control-Allow-Origin" not in Client().get("/health", headers={"Origin": ORIGIN})


@pytest.mark.django_db
class TestLimits:
    def test_every_answer_tells_what_is_left(self, api, settings):
        settings.RATE_LIMIT_PER_MINUTE = 60

        first, second = api.get("me"), api.get("tasks/1")

        assert first["RateLimit-Policy"] == '"default";q=60;w=60'
        assert first["RateLimit"] == '"default";r=59;t=1'
        assert second.status_code == 404
        assert re.fullmatch(r'"default";r=5[89];t=[12]', second["RateLimit"])

    def test_one_too_many_is_429_and_told_when_to_come_back(self, api, settings):
        settings.RATE_LIMIT_PER_MINUTE = 2
        assert [api.get("me").status_code for _ in range(2)] == [200, 200]

        response = api.get("me")

        assert (response.status_code, response.json()["error"]["code"]) == (429, "rate_limited")
        assert 1 <= int(response["Retry-After"]) <= 30
        assert response["RateLimit"].startswith('"default";r=0;')

    def test_a_refused_call_does_nothing(self, api, settings, acting):
        from ispcore.jobs.models import Job

        job = Job.objects.create(kind="x")
        settings.RATE_LIMIT_PER_MINUTE = 1
        api.get("me")

        assert api.post(f"tasks/{job.pk}/cancel").status_code == 429
        assert Job.objects.get().status == "queued"

    def test_hold_for_replays_as_well(self, api, settings):
        settings.RATE_LIMIT_PER_MINUTE = 2
        body = {"name": "Central", "vendor": "huawei", "ip": "192.0.2.1", "community": "c"}

        first, again, more = (api.post("hardware/olts", body, X_Idempotency_Key="k") for _ in range(3))

        assert [each.status_code for each in (first, again, more)] == [201, 201, 429]
        assert again["RateLimit"].startswith('"default";r=0;')
        assert more.json()["error"]["code"] == "rate_limited"
        assert int(more["Retry-After"]) >= 1

    def test_are_each_callers_own(self, api, api_as, settings):
        settings.RATE_LIMIT_PER_MINUTE = 1
        api.get("me")

        assert api_as("support").get("me").status_code == 200
        assert api.get("me").status_code == 429

    def test_hold_for_credentials_that_are_refused(self, settings, db):
        from tests.client import Api

        settings.RATE_LIMIT_PER_MINUTE = 2
        guesser = Api(token="ispk_guess_guess")

        assert [guesser.get("me").status_code for _ in range(3)] == [401, 401, 429]


@pytest.mark.django_db
class TestPages:
    @pytest.mark.parametrize("path", ["/docs", "/docs/", "/redoc", "/redoc/"])
    def test_refer_to_no_other_host(self, path):
        response = Client().get(path)

        page = response.content.decode()
        assert response.status_code == 200
        assert re.findall(r"(?:src|href|url)\s*[=(]\s*[\"']?(?:https?:)?//[^\"')]*", page) == []
        assert "default-src 'self'" in response["Content-Security-Policy"]
        assert not re.search(r"https?:", response["Content-Security-Policy"])

    @pytest.mark.parametrize("path", ["/docs", "/redoc"])
    def test_all_they_load_is_here(self, path):
        page = Client().get(path).content.decode()

        assets = re.findall(r"(?:src|href)=\"/static/([^\"]+)\"", page)
        assert assets
        assert [asset for asset in assets if finders.find(asset) is None] == []

    @pytest.mark.parametrize("path", ["/api/schema", "/api/schema/"])
    def test_the_document_needs_no_token(self, path):
        response = Client().get(path, headers={"Accept": "application/json"})

        assert response.status_code == 200
        assert response.json()["openapi"] == "3.1.0"


@pytest.mark.django_db
class TestProbes:
    @pytest.mark.parametrize("slash", ["", "/"])
    def test_alive(self, slash):
        response = Client().get(f"/health{slash}")

        assert (response.status_code, response.json()) == (200, {"status": "ok"})

    def test_alive_asks_nobody(self, query_count):
        assert query_count(Client().get, "/health") == 0

    @pytest.mark.parametrize("slash", ["", "/"])
    def test_ready(self, slash):
        response = Client().get(f"/ready{slash}")

        assert (response.status_code, response.json()) == (
            200,
            {"status": "ok", "database": "ok", "migrations": "ok", "redis": "ok", "broker": "ok"},
        )

    def test_not_ready_names_what_fails(self, settings):
        settings.REDIS_URL = "redis://127.0.0.1:1/0"

        response = Client().get("/ready")

        body = response.json()
        assert response.status_code == 503
        assert (body["status"], body["database"]) == ("unavailable", "ok")
        assert body["redis"] == (
            "failed: Valkey or Redis at 127.0.0.1:1 does not answer (ConnectionError). See whether it runs and can be "
            "reached from here; REDIS_URL says where it is."
        )
        assert body["broker"] == (
            "failed: Valkey or Redis at 127.0.0.1:1 does not answer, so no job can be sent."
        )

    def test_tells_an_address_only_to_who_may_read_metrics(self, settings):
        settings.REDIS_URL = "redis://:hunter2@127.0.0.1:1/0"
        settings.METRICS_TOKEN = "t0ken"

        stranger = Client().get("/ready").json()["redis"]
        prober = Client().get("/ready", headers={"Authorization": "Bearer t0ken"}).json()["redis"]

        assert stranger.startswith("failed: Valkey or Redis does not answer (ConnectionError).")
        assert prober.startswith("failed: Valkey or Redis at 127.0.0.1:1 does not answer (ConnectionError).")

    def test_metrics_are_for_this_host(self):
        Client().get("/health")
        Client().generic("BREW", "/health")

        told = Client().get("/metrics").content.decode()
        answers = "django_http_responses_total_by_status_view_method_total"
        assert f'{answers}{{method="GET",status="200",view="health"}}' in told
        assert f'{answers}{{method="other",status="200",view="health"}}' in told
        assert 'latency_seconds_by_view_method_count{method="GET",view="health"}' in told
        assert Client(REMOTE_ADDR="192.0.2.1").get("/metrics").status_code == 403

    def test_metrics_with_a_token_are_for_its_holder(self, settings):
        settings.METRICS_TOKEN = "t0ken"

        assert Client().get("/metrics").status_code == 401
        assert Client().get("/metrics", headers={"Authorization": "Bearer wrong"}).status_code == 401
        far = Client(REMOTE_ADDR="192.0.2.1").get("/metrics", headers={"Authorization": "Bearer t0ken"})
        assert far.status_code == 200
