"""Creating, changing and removing: addresses, versions and refusals that change nothing."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections

from hardware.models import Olt, OnuStatus
from ispcore.jobs.models import Job
from ispcore.tenants.context import tenant_context
from ispcore.tenants.roles import Role
from tests.client import Api
from tests.factories import OltFactory, OnuFactory

pytestmark = pytest.mark.django_db

OLT = {"name": "Central", "vendor": "huawei", "ip": "192.0.2.1", "community": "c"}


def error_of(response):
    return response.status_code, response.json()["error"]["code"]


class TestCreate:
    def test_is_201_and_tells_where(self, api, acting):
        response = api.post("hardware/olts", OLT)

        olt = Olt.objects.get()
        assert response.status_code == 201
        assert response["Location"] == f"http://testserver/api/v1/hardware/olts/{olt.pk}"
        assert response.json()["data"]["id"] == str(olt.pk)
        assert olt.pk.version == 7

    def test_answers_what_a_read_will_show(self, api):
        created = api.post("hardware/olts", OLT | {"ip": "2001:DB8::0:1", "name": "  Central  "})

        read = api.get(created["Location"].partition("/api/v1/")[2])

        assert created.json()["data"] == read.json()["data"]
        assert created["ETag"] == read["ETag"]

    def test_ignores_what_only_we_may_set(self, api, acting):
        body = OLT | {
            "id": "00000000-0000-0000-0000-000000000000",
            "sys_name": "mine",
            "created_at": "2000-01-01",
        }

        created = api.post("hardware/olts", body).json()["data"]

        assert created["id"] != body["id"]
        assert created["sys_name"] == ""
        assert not created["created_at"].startswith("2000")


class TestChange:
    def test_patch_changes_what_is_named(self, api, acting):
        olt = OltFactory(name="Old", site="Hill")

        response = api.patch(f"hardware/olts/{olt.pk}", {"name": "New"})

        olt.refresh_from_db()
        assert response.status_code == 200
        secret: Any = olt.community
        assert (olt.name, olt.site) == ("New", "Hill")
        assert secret.matches("kept-secret")

    def test_put_wants_all_of_it(self, api, acting):
        olt = OltFactory(name="Old")

        assert error_of(api.put(f"hardware/olts/{olt.pk}", {"name": "New"})) == (400, "missing_field")
        olt.refresh_from_db()
        assert olt.name == "Old"

        response = api.put(f"hardware/olts/{olt.pk}", OLT)
        assert response.json()["data"]["name"] == "Central"

    def test_a_refusal_changes_nothing(self, api, acting):
        OltFactory(name="Taken")
        olt = OltFactory(name="Mine")

        assert error_of(api.patch(f"hardware/olts/{olt.pk}", {"name": "Taken"})) == (
            409,
            "duplicate_olt_name",
        )
        assert error_of(api.patch(f"hardware/olts/{olt.pk}", {"vendor": "x"})) == (422, "validation_error")
        assert error_of(api.patch(f"hardware/olts/{olt.pk}", {"name": None})) == (422, "validation_error")

        olt.refresh_from_db()
        assert (olt.name, olt.vendor) == ("Mine", "huawei")

    def test_delete_is_204_and_then_404(self, api, acting):
        olt = OltFactory()

        assert api.delete(f"hardware/olts/{olt.pk}").status_code == 204
        assert error_of(api.get(f"hardware/olts/{olt.pk}")) == (404, "not_found")
        assert error_of(api.delete(f"hardware/olts/{olt.pk}")) == (404, "not_found")

    def test_the_business_refuses_with_409(self, api, acting):
        onu = OnuFactory()

        assert error_of(api.delete(f"hardware/olts/{onu.olt_id}")) == (409, "olt_has_onus")
        assert Olt.objects.get() == onu.olt


class TestVersions:
    @pytest.fixture
    def olt(self, acting):
        return OltFactory(name="Old")

    def path(self, olt) -> str:
        return f"hardware/olts/{olt.pk}"

    def test_a_read_carries_one_and_repeats_it(self, olt, api):
        first, second = api.get(self.path(olt)), api.get(self.path(olt))

        assert first["ETag"] == second["ETag"]
        assert first["ETag"].startswith('"')

    def test_differs_between_records(self, olt, api):
        assert api.get(self.path(olt))["ETag"] != api.get(self.path(OltFactory()))["ETag"]

    def test_is_not_of_the_zone_it_was_shown_in(self, olt, api):
        here = api.get(self.path(olt), X_Timezone="Asia/Tokyo")

        assert here["ETag"] == api.get(self.path(olt))["ETag"]

    def test_changes_with_every_update(self, olt, api):
        before = api.get(self.path(olt))["ETag"]

        after = api.patch(self.path(olt), {"name": "New"})["ETag"]

        assert after != before
        assert api.get(self.path(olt))["ETag"] == after

    def test_changes_with_a_set_based_update(self, olt, api):
        before = api.get(self.path(olt))["ETag"]

        Olt.objects.filter(pk=olt.pk).update(last_error="It is silent")

        assert api.get(self.path(olt))["ETag"] != before
        assert api.get(self.path(olt), If_None_Match=before).status_code == 200

    def test_changes_with_what_is_never_shown(self, olt, api):
        before = api.get(self.path(olt))["ETag"]

        api.patch(self.path(olt), {"community": "another"})

        assert api.get(self.path(olt))["ETag"] != before

    @pytest.mark.parametrize("form", ["{}", "W/{}", '"x", {}', "*", 'W/"x",W/{}'])
    def test_304_for_who_has_it(self, form, olt, api):
        tag = api.get(self.path(olt))["ETag"]

        response = api.get(self.path(olt), If_None_Match=form.format(tag))

        assert response.status_code == 304
        assert response.content == b""
        assert response["ETag"] == tag

    @pytest.mark.parametrize("known", ['"x"', "", "nonsense", 'W/"x"'])
    def test_200_for_who_has_another(self, known, olt, api):
        assert api.get(self.path(olt), If_None_Match=known).status_code == 200

    @pytest.mark.parametrize("form", ["{}", "W/{}", '"x", {}', "*"])
    def test_a_write_goes_through_with_the_present_one(self, form, olt, api):
        tag = api.get(self.path(olt))["ETag"]

        response = api.patch(self.path(olt), {"name": "New"}, If_Match=form.format(tag))

        assert response.json()["data"]["name"] == "New"

    def test_survives_compression(self, olt, api):
        tag = api.get(self.path(olt), Accept_Encoding="gzip")["ETag"]
        assert tag.startswith("W/")

        assert api.patch(self.path(olt), {"name": "New"}, If_Match=tag).status_code == 200

    @pytest.mark.parametrize("verb", ["patch", "put", "delete"])
    def test_a_write_with_an_older_one_is_412(self, verb, olt, api):
        tag = api.get(self.path(olt))["ETag"]
        Olt.objects.filter(pk=olt.pk).update(site="Moved meanwhile")

        bodies = [] if verb == "delete" else [OLT]
        response = getattr(api, verb)(self.path(olt), *bodies, If_Match=tag)

        olt.refresh_from_db()
        assert error_of(response) == (412, "stale_version")
        assert (olt.name, olt.site) == ("Old", "Moved meanwhile")

    @pytest.mark.parametrize("wanted", ['"x"', "nonsense", "", 'W/"x"'])
    def test_a_write_with_one_that_never_was_is_412(self, wanted, olt, api):
        assert error_of(api.delete(self.path(olt), If_Match=wanted)) == (412, "stale_version")
        assert Olt.objects.get() == olt

    def test_a_task_that_shows_new_values_has_a_new_one(self, api, acting):
        job = Job.objects.create(kind="x")
        before = api.get(f"tasks/{job.pk}")["ETag"]

        Job.objects.update(progress_done=1)

        assert api.get(f"tasks/{job.pk}", If_None_Match=before).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_of_eight_who_read_the_same_version_one_may_write(admin_user, tenant):
    with tenant_context(tenant.pk):
        olt = OltFactory(name="Old")
    path = f"hardware/olts/{olt.pk}"
    tag = Api(admin_user).get(path)["ETag"]

    def write(number: int) -> int:
        try:
            answer = Api(admin_user).patch(path, {"site": f"Site {number}"}, If_Match=tag)
            return int(answer.status_code)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as threads:
        statuses = sorted(threads.map(write, range(8)))

    assert statuses == [200] + [412] * 7


def test_a_refused_role_reaches_nothing(api_as, acting):
    olt = OltFactory(name="Old")
    onu = OnuFactory(olt=olt, status=OnuStatus.ONLINE)
    support = api_as(Role.SUPPORT)

    assert error_of(support.patch(f"hardware/olts/{olt.pk}", {"name": "New"})) == (403, "permission_denied")
    assert error_of(support.delete(f"hardware/olts/{olt.pk}")) == (403, "permission_denied")
    assert error_of(support.post("hardware/olts", OLT)) == (403, "permission_denied")
    assert error_of(support.post("hardware/olt/discover", {"olt_id": str(olt.pk)})) == (
        403,
        "permission_denied",
    )

    olt.refresh_from_db()
    assert olt.name == "Old"
    assert not Job.objects.exists()
    assert support.get(f"hardware/onus/{onu.pk}").status_code == 200
