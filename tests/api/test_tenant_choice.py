"""For which tenant a call is: X-Tenant-ID, or the only one the credential belongs to."""

from uuid import uuid4

import pytest
from django.utils import timezone

from hardware.models import Olt
from ispcore.auth import services as auth
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from ispcore.tenants.roles import Role
from tests.client import Api
from tests.factories import OltFactory

pytestmark = pytest.mark.django_db

OLT = {"name": "Central", "vendor": "huawei", "ip": "192.0.2.1", "community": "c"}


def refusal(response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


def tenant_of(response) -> str:
    return str(response.json()["data"]["tenant"]["slug"])


@pytest.fixture
def both(tenant, other_tenant, make_user):
    """Administrator of the one, support at the other."""
    return Api(make_user("both", {tenant: Role.ADMINISTRATOR, other_tenant: Role.SUPPORT}))


@pytest.fixture
def platform(tenant, other_tenant, make_user):
    return Api(make_user("root", is_platform_staff=True))


def test_the_only_one_need_not_be_named(api, tenant):
    assert tenant_of(api.get("me")) == "north"


@pytest.mark.parametrize("form", ["slug", "id", "ID", "hex"])
def test_is_named_by_slug_or_id(form, api, both, tenant):
    name = {"slug": "north", "id": str(tenant.pk), "ID": str(tenant.pk).upper(), "hex": tenant.pk.hex}[form]

    assert tenant_of(api.get("me", X_Tenant_ID=name)) == "north"
    assert tenant_of(both.get("me", X_Tenant_ID=name)) == "north"


def test_of_several_one_must_be_named(both, tenant, other_tenant):
    response = both.post("hardware/olts", OLT)

    assert refusal(response) == (400, "tenant_required")
    assert response.json()["error"]["field"] == "X-Tenant-ID"
    for each in (tenant, other_tenant):
        with tenant_context(each.pk):
            assert not Olt.objects.exists()


def test_the_role_is_that_of_the_tenant_named(both):
    here, there = (both.post("hardware/olts", OLT, X_Tenant_ID=slug) for slug in ("north", "south"))

    assert here.status_code == 201
    assert refusal(there) == (403, "permission_denied")


@pytest.mark.parametrize(
    "name",
    [
        "south",
        "nowhere",
        "0197b6a0-0000-7000-8000-00000000dead",
        "NORTH",
        "north'",
        "*",
        "north,south",
        "n\x00rth",
        "ñ",
        " ",
        "x" * 5000,
    ],
)
def test_one_that_is_foreign_and_one_that_is_not_look_alike(name, api, other_tenant):
    response = api.get("me", X_Tenant_ID=name)

    assert response.status_code == 403
    assert response.json()["error"] == {
        "code": "tenant_forbidden",
        "message": "X-Tenant-ID names no tenant this credential belongs to.",
        "field": "X-Tenant-ID",
    }


def test_the_id_of_a_foreign_one_looks_the_same(api, other_tenant):
    theirs, nobodys = (api.get("me", X_Tenant_ID=str(pk)) for pk in (other_tenant.pk, uuid4()))

    assert theirs.json()["error"] == nobodys.json()["error"]
    assert theirs.status_code == nobodys.status_code == 403


def test_one_that_is_switched_off_is_none(api, tenant):
    Tenant.objects.filter(pk=tenant.pk).update(is_active=False)

    assert refusal(api.get("me")) == (403, "tenant_forbidden")
    assert refusal(api.get("me", X_Tenant_ID="north")) == (403, "tenant_forbidden")


def test_who_belongs_to_none_is_refused(tenant, make_user):
    stranger = Api(make_user("stranger"))

    assert refusal(stranger.get("me")) == (403, "tenant_forbidden")
    assert refusal(stranger.get("me", X_Tenant_ID="north")) == (403, "tenant_forbidden")


class TestPlatformStaff:
    def test_name_the_tenant_they_act_for(self, platform):
        assert refusal(platform.get("me")) == (400, "tenant_required")
        assert tenant_of(platform.get("me", X_Tenant_ID="south")) == "south"
        assert platform.get("me", X_Tenant_ID="south").json()["data"]["role"] == "administrator"

    def test_see_one_at_a_time(self, platform, tenant, other_tenant):
        for each in (tenant, other_tenant):
            with tenant_context(each.pk):
                OltFactory(name=each.slug)

        shown = platform.get("hardware/olts", X_Tenant_ID="south").json()["data"]

        assert [olt["name"] for olt in shown] == ["south"]

    def test_find_no_tenant_that_does_not_exist(self, platform):
        assert refusal(platform.get("me", X_Tenant_ID="nowhere")) == (403, "tenant_forbidden")


class TestApiKey:
    @pytest.fixture
    def key(self, acting):
        _, text = auth.create_api_key(
            name="export", role=Role.NETWORK_OPERATIONS, created_by=None, at=timezone.now()
        )
        return Api(token=text)

    def test_belongs_to_its_tenant(self, key):
        assert tenant_of(key.get("me")) == "north"
        assert tenant_of(key.get("me", X_Tenant_ID="north")) == "north"

    def test_goes_nowhere_else(self, key, other_tenant):
        assert refusal(key.get("me", X_Tenant_ID="south")) == (403, "tenant_forbidden")

    def test_of_a_tenant_that_is_switched_off_opens_nothing(self, key, tenant):
        Tenant.objects.filter(pk=tenant.pk).update(is_active=False)

        assert refusal(key.get("me")) == (403, "tenant_forbidden")
