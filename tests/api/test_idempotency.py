"""The same key and body once more: the first answer again, and nothing done twice."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import OperationalError, connections
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django.utils import timezone

from hardware.models import Olt
from ispcore.api import idempotency
from ispcore.api.models import IdempotentAnswer
from ispcore.api.request import Caller
from ispcore.api.tasks import purge_answers
from ispcore.auth import services as auth
from ispcore.auth.principal import Principal
from ispcore.jobs.models import Job, JobStatus
from ispcore.tenants.context import tenant_context
from ispcore.tenants.roles import Role
from tests.client import Api
from tests.factories import OltFactory

pytestmark = pytest.mark.django_db

OLT = {"name": "Central", "vendor": "huawei", "ip": "192.0.2.1", "community": "c"}
KEY = {"X_Idempotency_Key": "5f1c"}


def refusal(response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


def created(tenant) -> int:
    with tenant_context(tenant.pk):
        return Olt.objects.count()


def stored(tenant) -> int:
    with tenant_context(tenant.pk):
        return IdempotentAnswer.objects.count()


class TestReplay:
    @pytest.mark.parametrize("second", [{"X_Idempotency_Key": "5f1c"}, {"Idempotency_Key": "5f1c"}])
    def test_is_the_same_bytes(self, second, api, tenant):
        first = api.post("hardware/olts", OLT, **KEY)

        again = api.post("hardware/olts", OLT, **second)

        assert again.content == first.content
        assert (again.status_code, again["Location"], again["ETag"]) == (
            201,
            first["Location"],
            first["ETag"],
        )
        assert (first.get("Idempotency-Replayed"), again["Idempotency-Replayed"]) == (None, "true")
        assert created(tenant) == 1

    def test_has_a_request_id_of_its_own(self, api):
        first = api.post("hardware/olts", OLT, **KEY)

        again = api.post("hardware/olts", OLT, **KEY)

        assert again["X-Request-ID"] != first["X-Request-ID"]
        assert again.json()["meta"]["request_id"] == first["X-Request-ID"]

    def test_comes_after_the_record_has_gone(self, api, tenant):
        first = api.post("hardware/olts", OLT, **KEY)
        api.delete(f"hardware/olts/{first.json()['data']['id']}")

        assert api.post("hardware/olts", OLT, **KEY).content == first.content
        assert created(tenant) == 0

    def test_does_not_mind_the_slash(self, api, tenant):
        api.post("hardware/olts", OLT, **KEY)

        assert api.post("hardware/olts/", OLT, **KEY)["Idempotency-Replayed"] == "true"
        assert created(tenant) == 1

    def test_keeps_no_secret(self, api, acting):
        api.post("hardware/olts", OLT | {"community": "s3cret-word"}, **KEY)

        answer = IdempotentAnswer.objects.values().get()

        assert "s3cret-word" not in str(answer)


class TestAnotherRequest:
    def test_with_the_same_key_is_422(self, api, tenant):
        api.post("hardware/olts", OLT, **KEY)

        response = api.post("hardware/olts", OLT | {"name": "Other"}, **KEY)

        assert refusal(response) == (422, "idempotency_key_reused")
        assert created(tenant) == 1

    def test_to_another_path_is_422(self, api, acting):
        olt = OltFactory()
        api.post("hardware/olts", OLT, **KEY)

        response = api.post("hardware/olt/discover", {"olt_id": str(olt.pk)}, **KEY)

        assert refusal(response) == (422, "idempotency_key_reused")
        assert not Job.objects.exists()

    def test_with_another_key_is_another_request(self, api, tenant):
        api.post("hardware/olts", OLT, X_Idempotency_Key="1")

        response = api.post("hardware/olts", OLT | {"name": "B", "ip": "192.0.2.2"}, X_Idempotency_Key="2")

        assert response.status_code == 201
        assert created(tenant) == 2

    @pytest.mark.parametrize("verb", ["patch", "put", "get"])
    def test_of_another_verb_takes_no_key(self, verb, api, acting):
        olt = OltFactory()
        path, body = f"hardware/olts/{olt.pk}", json.dumps(OLT).encode()

        for _ in range(2):
            assert "Idempotency-Replayed" not in api.send(verb, path, body, "application/json", **KEY)
        assert not IdempotentAnswer.objects.exists()


class TestRefusal:
    @pytest.mark.parametrize(
        ("body", "status"), [({}, 400), (OLT | {"ip": "x"}, 422), (OLT | {"name": "Taken"}, 409)]
    )
    def test_leaves_the_key_free_for_the_corrected_request(self, body, status, api, acting):
        OltFactory(name="Taken")
        assert api.post("hardware/olts", body, **KEY).status_code == status
        assert not IdempotentAnswer.objects.exists()

        assert api.post("hardware/olts", OLT, **KEY).status_code == 201

    def test_of_a_role_stores_nothing(self, api_as, tenant):
        assert refusal(api_as(Role.SUPPORT).post("hardware/olts", OLT, **KEY)) == (403, "permission_denied")
        assert (created(tenant), stored(tenant)) == (0, 0)

    def test_of_a_credential_stores_nothing(self, anonymous, tenant):
        assert refusal(anonymous.post("hardware/olts", OLT, **KEY)) == (401, "not_authenticated")
        assert (created(tenant), stored(tenant)) == (0, 0)

    @pytest.mark.parametrize("key", ["", "x" * 256, "a\nb", "a\x00b", "\x7f"])
    def test_of_a_key_that_is_none(self, key, api, tenant):
        assert refusal(api.post("hardware/olts", OLT, X_Idempotency_Key=key)) == (400, "malformed_request")
        assert created(tenant) == 0


class TestScope:
    def test_is_the_principal(self, api, api_as, tenant):
        api.post("hardware/olts", OLT, **KEY)

        response = api_as(Role.NETWORK_OPERATIONS).post("hardware/olts", OLT, **KEY)

        assert refusal(response) == (409, "duplicate_olt_name")
        assert created(tenant) == 1

    def test_tells_a_person_from_their_key(self, api, admin_user, acting):
        _, text = auth.create_api_key(
            name="k", role=Role.ADMINISTRATOR, created_by=admin_user, at=timezone.now()
        )
        api.post("hardware/olts", OLT, **KEY)

        response = Api(token=text).post("hardware/olts", OLT, **KEY)

        assert refusal(response) == (409, "duplicate_olt_name")

    def test_is_the_tenant(self, make_user, tenant, other_tenant):
        both = Api(make_user("both", dict.fromkeys((tenant, other_tenant), Role.ADMINISTRATOR)))

        here, there = (
            both.post("hardware/olts", OLT, X_Tenant_ID=slug, **KEY) for slug in ("north", "south")
        )

        assert (here.status_code, there.status_code) == (201, 201)
        assert here.json()["data"]["id"] != there.json()["data"]["id"]
        assert (created(tenant), created(other_tenant)) == (1, 1)


class TestJobs:
    @pytest.fixture
    def first(self, api, acting):
        olt = OltFactory()
        return api.post("hardware/olt/discover", {"olt_id": str(olt.pk)}, Prefer="respond-async", **KEY)

    def again(self, api, **headers):
        return api.post("hardware/olt/discover", {"olt_id": str(Olt.objects.get().pk)}, **KEY, **headers)

    def test_a_replay_tells_how_far_the_job_is_now(self, first, api):
        Job.objects.update(progress_done=3, progress_total=9)

        again = self.again(api, Prefer="wait=0")

        assert (again.status_code, again["Idempotency-Replayed"]) == (202, "true")
        assert again["Location"] == first["Location"]
        assert again.json()["data"]["progress"] == {"done": 3, "total": 9, "message": ""}
        assert Job.objects.count() == 1

    @pytest.mark.parametrize("status", [JobStatus.FAILED, JobStatus.CANCELLED])
    def test_a_job_that_failed_may_be_asked_for_again(self, status, first, api):
        Job.objects.update(status=status, finished_at=timezone.now(), error_code="x" * (status == "failed"))

        again = self.again(api, Prefer="wait=0")

        assert again.status_code == 202
        assert "Idempotency-Replayed" not in again
        assert again["Location"] != first["Location"]
        assert Job.objects.count() == 2
        assert IdempotentAnswer.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_eight_at_once_one_creates(admin_user, tenant):
    def call(_: int):
        try:
            return Api(admin_user).post("hardware/olts", OLT, **KEY)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as threads:
        responses = list(threads.map(call, range(8)))

    new = [r for r in responses if r.status_code == 201 and "Idempotency-Replayed" not in r]
    rest = [r for r in responses if r not in new]
    assert len(new) == 1
    assert created(tenant) == 1
    for response in rest:
        replayed = response.status_code == 201 and response.content == new[0].content
        assert replayed or refusal(response) == (409, "idempotency_in_progress")


@pytest.mark.django_db(transaction=True)
def test_a_key_whose_holder_died_is_free_at_once(admin_user, tenant):
    request = RequestFactory().post(
        "/api/v1/hardware/olts", OLT, "application/json", headers={"X-Idempotency-Key": "5f1c"}
    )
    request.caller = Caller(  # type: ignore[attr-defined]
        Principal(f"user:{admin_user.pk}", admin_user), tenant.pk, Role.ADMINISTRATOR
    )

    def create_and_die(_: HttpRequest) -> HttpResponse:
        OltFactory(name=OLT["name"])
        with connections["default"].cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return HttpResponse(status=201)

    def hold_the_key() -> None:
        try:
            with tenant_context(tenant.pk):
                idempotency.serve(request, create_and_die)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as threads:
        assert isinstance(threads.submit(hold_the_key).exception(), OperationalError)

    assert (created(tenant), stored(tenant)) == (0, 0)
    assert Api(admin_user).post("hardware/olts", OLT, **KEY).status_code == 201
    assert created(tenant) == 1


@pytest.mark.django_db(transaction=True, databases=["default", "platform"])
def test_a_key_is_forgotten_after_a_day(admin_user, tenant):
    api = Api(admin_user)
    for name, ip in (("young", "192.0.2.8"), ("old", "192.0.2.9")):
        api.post("hardware/olts", OLT | {"name": name, "ip": ip}, X_Idempotency_Key=name)
    with tenant_context(tenant.pk):
        IdempotentAnswer.objects.filter(key="old").update(created_at=F("created_at") - timedelta(hours=25))

    purge_answers()

    with tenant_context(tenant.pk):
        assert [answer.key for answer in IdempotentAnswer.objects.all()] == ["young"]
