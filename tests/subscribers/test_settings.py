"""What one provider wants of its customers' records."""

import pytest

from ispcore.tenants.context import tenant_context
from subscribers.models import Subscriber, SubscriberSettings
from subscribers.services import customers

pytestmark = pytest.mark.django_db

DEFAULTS = {"duplicate_rules": [], "phone_region": "US"}


def stored() -> list[tuple[list[str], str]]:
    return list(SubscriberSettings.objects.values_list("duplicate_rules", "phone_region"))


def test_are_the_defaults_until_somebody_sets_them(api, acting):
    response = api.get("subscriber-settings")

    assert (response.status_code, response.json()["data"]) == (200, DEFAULTS)
    assert api.get("subscriber-settings")["ETag"] == response["ETag"]
    assert stored() == []


def test_are_changed_field_by_field(api, acting):
    first = api.patch("subscriber-settings", {"phone_region": "pt"})
    second = api.patch("subscriber-settings", {"duplicate_rules": ["phone", "document", "phone"]})

    assert first.json()["data"] == {"duplicate_rules": [], "phone_region": "PT"}
    assert second.json()["data"] == {"duplicate_rules": ["document", "phone"], "phone_region": "PT"}
    assert api.get("subscriber-settings").json()["data"] == second.json()["data"]
    assert stored() == [(["document", "phone"], "PT")]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"phone_region": "XX"}, "phone_region"),
        ({"phone_region": "ZZZ"}, "phone_region"),
        ({"phone_region": ""}, "phone_region"),
        ({"phone_region": "ß"}, "phone_region"),
        ({"duplicate_rules": ["name"]}, "duplicate_rules.0"),
        ({"duplicate_rules": "email"}, "duplicate_rules"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_that_make_no_sense_are_refused(body, field, api, acting):
    response = api.patch("subscriber-settings", body)

    assert (response.status_code, response.json()["error"]["field"]) == (422, field)
    assert api.get("subscriber-settings").json()["data"] == DEFAULTS


def test_of_an_older_version_are_refused(api, acting):
    tag = api.get("subscriber-settings")["ETag"]
    fresh = api.patch("subscriber-settings", {"phone_region": "PT"}, If_Match=tag)

    stale = api.patch("subscriber-settings", {"phone_region": "ES"}, If_Match=tag)

    assert (fresh.status_code, stale.status_code) == (200, 412)
    assert stored() == [([], "PT")]


def test_a_new_country_rewrites_no_number(api, acting):
    jane = customers.create_subscriber(full_name="Jane", phone="555 000 1234")

    api.patch("subscriber-settings", {"phone_region": "PT"})
    api.patch(f"subscribers/{jane.pk}", {"city": "Porto"})

    assert Subscriber.objects.get().phone_e164 == "+15550001234"


def test_are_each_providers_own(api, tenant, other_tenant):
    with tenant_context(other_tenant.pk):
        SubscriberSettings.objects.create(phone_region="ES", duplicate_rules=["email"])

    api.patch("subscriber-settings", {"phone_region": "PT"})

    assert api.get("subscriber-settings").json()["data"] == {"duplicate_rules": [], "phone_region": "PT"}
    with tenant_context(other_tenant.pk):
        assert stored() == [(["email"], "ES")]
