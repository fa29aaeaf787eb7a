"""Changing and ending live sessions over HTTP."""

from uuid import UUID

import pytest
from django.utils import timezone

from aaa.models import SessionAction
from ispcore.tenants.context import tenant_context
from ispcore.tenants.fields import new_id
from tests.aaa.nas_peer import NasPeer
from tests.aaa.online import ACTIVE, make_account, make_nas, make_policy, make_session
from tests.factories import SubscriptionFactory


@pytest.mark.usefixtures("worker")
class TestThroughTheQueue:
    def test_a_coa_answers_with_what_the_nas_said(self, peer: NasPeer, api, tenant):
        with tenant_context(tenant.pk):
            session = make_session(make_nas(peer), make_account("amal", make_policy()), "api-coa")

        response = api.post("aaa/coa", {"session_id": str(session.pk)}, Prefer="wait=60")

        assert response.status_code == 200, response.content
        data = response.json()["data"]
        assert (data["done"], data["failed"], data["pending"]) == (1, 0, 0)
        [action] = data["actions"]
        assert {name: action[name] for name in ("kind", "state", "outcome", "session_id")} == {
            "kind": "coa", "state": "done", "outcome": "ack", "session_id": str(session.pk),
        }  # fmt: skip
        assert peer.of("api-coa")[0]["rate"] == "10M/50M"
        with tenant_context(tenant.pk):
            session.refresh_from_db()
        assert session.applied == ACTIVE

    def test_all_sessions_of_a_service_are_ended(self, peer: NasPeer, api, tenant, admin_user):
        with tenant_context(tenant.pk):
            line = SubscriptionFactory.create()
            account = make_account("amal", subscription=line)
            nas = make_nas(peer)
            for number in range(3):
                make_session(nas, account, f"api-line-{number}")
            make_session(nas, make_account("noor"), "api-line-other")

        response = api.post("aaa/disconnect", {"service_id": str(line.pk)}, Prefer="wait=60")

        assert response.status_code == 200, response.content
        assert response.json()["data"]["done"] == 3
        assert [len(peer.of(f"api-line-{n}")) for n in range(3)] == [1, 1, 1]
        assert peer.of("api-line-other") == []
        with tenant_context(tenant.pk):
            assert set(SessionAction.objects.values_list("cause", "requested_by_id")) == {
                ("api", admin_user.pk)
            }

    def test_what_the_nas_refuses_is_told(self, peer: NasPeer, api, tenant):
        with tenant_context(tenant.pk):
            account = make_account("amal")
            make_session(make_nas(peer), account, "nak-501-api")

        response = api.post("aaa/disconnect", {"account_id": str(account.pk)}, Prefer="wait=60")

        data = response.json()["data"]
        assert (response.status_code, data["failed"]) == (200, 1)
        assert data["actions"][0]["error_cause"] == 501
        assert "forbids" in data["actions"][0]["message"]

    def test_who_does_not_wait_gets_the_task(self, peer: NasPeer, api, tenant):
        with tenant_context(tenant.pk):
            session = make_session(make_nas(peer), make_account("amal"), "api-later")

        response = api.post("aaa/disconnect", {"session_id": str(session.pk)}, Prefer="respond-async")

        assert response.status_code == 202
        assert response["Location"] == f"/api/v1/tasks/{response.json()['data']['id']}"


@pytest.mark.django_db
class TestRefusals:
    @pytest.mark.parametrize("path", ["aaa/coa", "aaa/disconnect"])
    @pytest.mark.parametrize(
        ("body", "code"),
        [
            ({}, "required"),
            ({"session_id": str(UUID(int=1)), "account_id": str(UUID(int=2))}, "required"),
            ({"nas_id": str(UUID(int=1))}, "unknown_field"),
            ({"session_id": "1"}, "invalid"),
        ],
    )
    def test_exactly_one_thing_is_named(self, api, path: str, body: dict[str, str], code: str):
        response = api.post(path, body)

        assert response.status_code in (400, 422)
        assert code in response.content.decode()

    @pytest.mark.parametrize("path", ["aaa/coa", "aaa/disconnect"])
    @pytest.mark.parametrize("name", ["session_id", "account_id", "service_id"])
    def test_the_unknown_is_not_found(self, api, tenant, path: str, name: str):
        response = api.post(path, {name: str(new_id())})

        assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")
        with tenant_context(tenant.pk):
            assert SessionAction.objects.count() == 0

    def test_nobody_online_is_said(self, api, tenant):
        with tenant_context(tenant.pk):
            account = make_account("amal")

        response = api.post("aaa/disconnect", {"account_id": str(account.pk)}, Prefer="wait=60")

        assert (response.status_code, response.json()["error"]["code"]) == (409, "no_live_session")


@pytest.mark.django_db
def test_the_list_shows_the_newest_first_and_filters(api, tenant):
    with tenant_context(tenant.pk):
        nas = make_nas(None)
        first, second = (
            SessionAction.objects.create(
                kind=kind, session_id=new_id(), nas=nas, cause="staff", next_at=timezone.now()
            )
            for kind in ("coa", "disconnect")
        )

    everything = api.get("aaa/actions").json()["data"]
    filtered = api.get("aaa/actions", {"kind": "coa", "state": "queued"}).json()["data"]

    assert [row["id"] for row in everything] == [str(second.pk), str(first.pk)]
    assert [row["id"] for row in filtered] == [str(first.pk)]
    assert everything[0]["outcome"] == ""
