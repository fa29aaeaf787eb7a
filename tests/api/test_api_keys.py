"""API keys by the API: shown once, used, revoked, and never anybody's who may not manage them."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from ispcore.api.models import IdempotentAnswer
from ispcore.auth.models import ApiKey
from ispcore.tenants.context import tenant_context
from ispcore.tenants.roles import Role
from tests.client import Api
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
KEYS = "api-keys"
NEW = {"name": "billing export", "role": "support"}


def me(key: str, **extra) -> int:
    return Client().get("/api/v1/me", headers={"Authorization": f"Bearer {key}"}, **extra).status_code


def test_a_key_is_shown_once_and_works(api, tenant, admin_user):
    answer = api.post(KEYS, NEW)

    data = answer.json()["data"]
    assert answer.status_code == 201
    assert answer["Location"].endswith(f"/api/v1/{KEYS}/{data['id']}")
    assert answer["Cache-Control"] == "no-store"
    assert data["key"].startswith(f"ispk_{data['prefix']}_")
    assert (data["role"], data["created_by_id"]) == ("support", str(admin_user.pk))
    assert me(data["key"]) == 200
    shown = api.get(f"{KEYS}/{data['id']}").json()["data"]
    assert "key" not in shown
    assert shown["last_used_at"] is not None
    assert data["key"].rsplit("_", 1)[1] not in api.get(KEYS).content.decode()


def test_a_key_has_an_end_and_places(api):
    ends = (timezone.now() + timedelta(days=1)).isoformat()

    data = api.post(KEYS, {**NEW, "expires_at": ends, "allowed_ips": ["192.0.2.0/24"]}).json()["data"]

    assert me(data["key"], REMOTE_ADDR="192.0.2.9") == 200
    assert me(data["key"], REMOTE_ADDR="198.51.100.9") == 401


@pytest.mark.parametrize(
    ("changes", "status", "field"),
    [
        ({"role": "customer"}, 422, "role"),
        ({"role": "superuser"}, 422, "role"),
        ({"name": ""}, 422, "name"),
        ({"name": "x" * 81}, 422, "name"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, 422, "expires_at"),
        ({"allowed_ips": ["everywhere"]}, 422, "allowed_ips"),
        ({"allowed_ips": ["10.0.0.0/8"] * 101}, 422, "allowed_ips"),
        ({"secret_hash": "0" * 64}, 422, "secret_hash"),
    ],
)
def test_a_wrong_wish_makes_no_key(api, acting, changes, status, field):
    answer = api.post(KEYS, {**NEW, **changes})

    assert answer.status_code == status
    assert answer.json()["error"]["field"].startswith(field)
    assert not ApiKey.objects.exists()


def test_a_revoked_key_opens_nothing_and_stays_revoked(api):
    data = api.post(KEYS, NEW).json()["data"]

    first = api.post(f"{KEYS}/{data['id']}/revoke").json()["data"]
    again = api.post(f"{KEYS}/{data['id']}/revoke").json()["data"]

    assert first["revoked_at"] == again["revoked_at"] is not None
    assert me(data["key"]) == 401
    assert [row["id"] for row in api.get(KEYS, {"is_revoked": "true"}).json()["data"]] == [data["id"]]
    assert api.get(KEYS, {"is_revoked": "false"}).json()["data"] == []


def test_a_key_is_never_changed_or_deleted(api):
    data = api.post(KEYS, NEW).json()["data"]

    assert api.patch(f"{KEYS}/{data['id']}", {"role": "administrator"}).status_code == 405
    assert api.delete(f"{KEYS}/{data['id']}").status_code == 405
    assert me(data["key"]) == 200


@pytest.mark.parametrize("role", [role for role in Role if role not in (Role.ADMINISTRATOR, Role.CUSTOMER)])
def test_only_administrators_see_or_make_keys(api_as, acting, role):
    client = api_as(role)

    assert client.get(KEYS).status_code == 403
    assert client.post(KEYS, NEW).status_code == 403
    assert not ApiKey.objects.exists()


def test_a_key_of_a_lesser_role_makes_no_greater_one(api):
    key = api.post(KEYS, NEW).json()["data"]["key"]

    answer = Api(token=key).post(KEYS, {"name": "mine", "role": "administrator"})

    assert answer.status_code == 403


@pytest.mark.parametrize("header", ["Idempotency_Key", "X_Idempotency_Key"])
def test_a_repeat_makes_no_second_key_and_shows_no_secret(api, tenant, header):
    first = api.post(KEYS, NEW, **{header: "k1"})
    again = api.post(KEYS, NEW, **{header: "k1"})
    other = api.post(KEYS, {**NEW, "name": "other"}, **{header: "k1"})
    next_one = api.post(KEYS, NEW, **{header: "k2"})

    made = first.json()["data"]
    assert (again.status_code, again.json()["error"]["code"]) == (409, "secret_shown_once")
    assert again.json()["meta"]["request_id"] == again["X-Request-ID"]
    assert "Idempotency-Replayed" not in again
    assert (other.status_code, other.json()["error"]["code"]) == (422, "idempotency_key_reused")
    assert next_one.status_code == 201
    assert me(made["key"]) == 200
    secret = made["key"].rsplit("_", 1)[1]
    with tenant_context(tenant.pk):
        assert ApiKey.objects.count() == 2
        assert secret not in str([list(each.values()) for each in IdempotentAnswer.objects.values()])


def test_a_refused_wish_may_be_put_right_with_the_same_key(api):
    refused = api.post(KEYS, {**NEW, "role": "customer"}, Idempotency_Key="k1")

    assert refused.status_code == 422
    assert api.post(KEYS, NEW, Idempotency_Key="k1").status_code == 201


def test_costs_the_same_for_one_and_for_six(api, query_count):
    api.post(KEYS, NEW)
    one = query_count(api.get, KEYS)
    for _ in range(5):
        api.post(KEYS, NEW)

    assert query_count(api.get, KEYS) == one


class TestLogOut:
    URL = "/api/v1/auth/revoke"

    def tokens(self, user) -> dict[str, str]:
        given = {"username": user.email, "password": PASSWORD}
        return Client().post("/api/v1/auth/token", given, content_type="application/json").json()

    def refresh(self, token: str) -> int:
        given = {"grant_type": "refresh_token", "refresh_token": token}
        return Client().post("/api/v1/auth/token", given, content_type="application/json").status_code

    def test_ends_the_log_in(self, admin_user):
        token = self.tokens(admin_user)["refresh_token"]

        answer = Client().post(self.URL, {"token": token}, content_type="application/json")

        assert (answer.status_code, answer.content) == (204, b"")
        assert self.refresh(token) == 401

    def test_ends_no_other(self, admin_user):
        token, other = (self.tokens(admin_user)["refresh_token"] for _ in range(2))

        Client().post(self.URL, {"token": token})

        assert self.refresh(other) == 200

    @pytest.mark.parametrize("token", ["x", "isprt_0_0", "isprt_" + "0" * 32 + "_x"])
    def test_a_token_that_is_none_is_answered_alike(self, db, token):
        answer = Client().post(self.URL, {"token": token}, content_type="application/json")

        assert answer.status_code == 204

    def test_needs_a_token(self, db):
        answer = Client().post(self.URL, {}, content_type="application/json")

        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "missing_field")


def test_passwords_can_be_refused_altogether(admin_user, settings):
    settings.PASSWORD_GRANT = False
    given = {"username": admin_user.email, "password": PASSWORD}

    answer = Client().post("/api/v1/auth/token", given, content_type="application/json")

    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "password_grant_closed")
