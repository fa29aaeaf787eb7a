"""Exports as integrators ask for them, and the files they fetch: who may, and for how long."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from ispcore.files import services
from ispcore.files.models import StoredFile
from ispcore.jobs.models import Job
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import AuditEntry, Tenant, User
from ispcore.tenants.roles import Role
from tests.client import Api
from tests.factories import (
    ZoneFactory,
)
from tests.files.exported import request_export, run, table_of

pytestmark = pytest.mark.django_db


class TestApi:
    def post(self, api: Api, **body: Any) -> Any:
        body = {"list": "zones", "format": "csv", **body}
        return api.post("exports", body, Prefer="respond-async")

    def test_exports_and_fetches(self, api: Api, tenant: Tenant, admin_user: User) -> None:
        with tenant_context(tenant.pk):
            ZoneFactory(name="Harbour")
            ZoneFactory(name="Hill")

        asked = self.post(api, filters={"name": "Har*"}, bom=False)
        with tenant_context(tenant.pk):
            run(Job.objects.get())
        result = api.get(f"tasks/{asked.json()['data']['id']}").json()["data"]["result"]
        listed = api.get("files").json()["data"]
        shown = api.get(f"files/{result['file_id']}").json()["data"]
        content = b"".join(api.get(f"files/{result['file_id']}/content", Accept="text/csv"))

        day = timezone.now().astimezone(ZoneInfo("Africa/Johannesburg")).date()
        assert asked.status_code == 202
        assert (result["rows"], result["name"]) == (1, f"zones-{day}.csv")
        assert result["url"] == f"/api/v1/files/{result['file_id']}/content"
        assert listed == [shown]
        assert (shown["size_bytes"], shown["app_label"]) == (len(content), "subscribers")
        assert datetime.fromisoformat(shown["expires_at"]) == datetime.fromisoformat(result["expires_at"])
        assert [row[0] for row in table_of(content)] == ["Name", "Harbour"]
        with tenant_context(tenant.pk):
            entry = AuditEntry.objects.get()
            assert (entry.action, entry.detail, entry.user_id) == (
                "exported zones", "csv: name=Har*", admin_user.pk,
            )  # fmt: skip

    def test_asked_twice_at_once_runs_once(self, api: Api) -> None:
        first, second, other = self.post(api), self.post(api), self.post(api, search="x")

        ids = [answer.json()["data"]["id"] for answer in (first, second, other)]
        assert ids[0] == ids[1] != ids[2]

    @pytest.mark.parametrize(
        ("body", "status", "fields"),
        [
            ({"list": "secrets"}, 422, ["list"]),
            ({"format": "pdf"}, 422, ["format"]),
            ({"list": None}, 422, ["list"]),
            ({"filters": {"nmae": "x", "parent": "y"}}, 422, ["filters.nmae", "filters.parent"]),
            (
                {"filters": {"parent_id": "x", "created_at__gte": "soon"}}, 422,
                ["filters.created_at__gte", "filters.parent_id"],
            ),
            ({"filters": {"name": ""}}, 422, ["filters.name"]),
            ({"filters": {"name": 7}}, 422, ["filters.name"]),
            ({"filters": {"name": "a\x00"}}, 422, ["filters.name"]),
            ({"filters": ["name"]}, 422, ["filters"]),
            ({"list": "services", "search": "x"}, 422, ["search"]),
            ({"filtres": {}}, 422, ["filtres"]),
        ],
    )  # fmt: skip
    def test_refuses_what_the_list_would(
        self, body: dict[str, Any], status: int, fields: list[str], api: Api, tenant: Tenant
    ) -> None:
        answer = self.post(api, **body)

        error = answer.json()["error"]
        assert (answer.status_code, sorted(each["field"] for each in error["fields"])) == (status, fields)
        with tenant_context(tenant.pk):
            assert not Job.objects.exists()
            assert not AuditEntry.objects.exists()

    @pytest.mark.parametrize(
        ("role", "name", "status"),
        [
            (Role.CUSTOMER, "zones", 403),
            (Role.SUPPORT, "zones", 202),
            (Role.SUBSCRIBER_ACCOUNTS, "zones", 202),
            (Role.SUBSCRIBER_ACCOUNTS, "olts", 403),
            (Role.NETWORK_OPERATIONS, "olts", 202),
        ],
    )
    def test_is_for_who_may_view_the_list(
        self, role: Role, name: str, status: int, api_as: Callable[[Role], Api], tenant: Tenant
    ) -> None:
        assert self.post(api_as(role), list=name).status_code == status

        with tenant_context(tenant.pk):
            assert Job.objects.count() == AuditEntry.objects.count() == (1 if status == 202 else 0)

    def test_a_file_is_for_who_may_view_what_it_is_of(
        self,
        api_as: Callable[[Role], Api],
        make_user: Callable[..., User],
        tenant: Tenant,
        other_tenant: Tenant,
    ) -> None:
        with tenant_context(tenant.pk):
            file_id = run(request_export("olts")).result["file_id"]  # type: ignore[index]
        stranger = Api(make_user("stranger", {other_tenant: Role.ADMINISTRATOR}))
        accounts, support = api_as(Role.SUBSCRIBER_ACCOUNTS), api_as(Role.SUPPORT)

        for path in (f"files/{file_id}", f"files/{file_id}/content"):
            statuses = [each.get(path).status_code for each in (support, accounts, stranger)]
            assert statuses == [200, 403, 404]
        assert [len(each.get("files").json()["data"]) for each in (support, accounts, stranger)] == [1, 0, 0]

    def test_a_file_is_gone_in_words_when_its_time_is_over(self, api: Api, tenant: Tenant) -> None:
        with tenant_context(tenant.pk):
            file_id = run(request_export("zones")).result["file_id"]  # type: ignore[index]
            StoredFile.objects.update(expires_at=datetime(2026, 1, 2, 3, 4, tzinfo=UTC))

        expired = api.get(f"files/{file_id}/content")
        listed = api.get("files").json()["data"]
        with tenant_context(tenant.pk):
            assert services.purge_files() > 0
        purged = api.get(f"files/{file_id}/content")

        error = expired.json()["error"]
        assert (expired.status_code, error["code"], listed) == (404, "file_expired", [])
        assert error["message"] == (
            "This file was kept until 2026-01-02 03:04 and is gone. Ask for it again where it came from."
        )
        assert (purged.status_code, purged.json()["error"]["code"]) == (404, "not_found")
