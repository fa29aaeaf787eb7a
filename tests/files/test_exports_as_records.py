"""Lists as records: NDJSON, and tables of the lists that have no columns made for people."""

import json
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ispcore.crypto import MASK
from ispcore.files import exports
from ispcore.jobs.models import Job
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from tests.api.records import MAKE
from tests.client import Api
from tests.factories import ZoneFactory
from tests.files.exported import content_of, request_export, run, table_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("acting")]
PLAIN = [export.name for export in exports.registered() if not export.columns]
EVERY = [export.name for export in exports.registered()]


def records(of_list: str, **asked: Any) -> list[dict[str, Any]]:
    job = exports.request_export(
        export=exports.find(of_list), file_format="ndjson", bom=False, rows_from="list",
        asked={"filters": asked, "search": ""}, role=None, user_id=None, ip=None, request_id="",
    )  # fmt: skip
    content = content_of(run(job))
    return [json.loads(line) for line in content.splitlines()]


def test_a_line_is_the_record_that_the_list_shows(api: Api) -> None:
    for name in ("Harbour", "Hill", "Hall"):
        ZoneFactory(name=name)

    lines = records("zones", name="H*")

    assert lines == api.get("zones", {"name": "H*", "ordering": "created_at"}).json()["data"]
    assert len(lines) == 3


def test_another_tenants_rows_are_not_in_it(other_tenant: Tenant) -> None:
    with tenant_context(other_tenant.pk):
        ZoneFactory(name="Theirs")

    assert records("zones") == []


@pytest.mark.parametrize(
    ("name", "secrets"),
    [
        ("webhooks", {"secret", "previous_secret"}),
        ("api-keys", {"key", "secret_hash"}),
        ("gateways", {"api_key", "webhook_secret"}),
    ],
)
def test_what_opens_anything_is_in_no_list(name: str, secrets: set[str]) -> None:
    MAKE[exports.find(name).model]()

    (line,) = records(name)

    assert not secrets & {key for key, value in line.items() if value not in (None, "", MASK)}
    assert line["id"]


def test_holds_each_row_once_over_many_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "PAGE_ROWS", 3)
    zones = [ZoneFactory() for _ in range(7)]

    assert [line["id"] for line in records("zones")] == [str(zone.pk) for zone in zones]


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("file_format", ["ndjson", "csv"])
def test_every_list_can_be_written_at_a_constant_cost(name: str, file_format: str) -> None:
    model = exports.find(name).model
    if model not in MAKE:
        pytest.skip("no maker of such records for tests")

    def written() -> tuple[int, Job]:
        job = request_export(name, file_format=file_format)
        with CaptureQueriesContext(connection) as captured:
            run(job)
        return len(captured), job

    MAKE[model]()
    first, job = written()
    for _ in range(5):
        MAKE[model]()
    second, _job = written()

    assert job.result is not None, job.error_message
    assert second == first
    if file_format == "csv" and name in PLAIN:
        assert table_of(content_of(job))[0] == exports._names(exports.find(name))
