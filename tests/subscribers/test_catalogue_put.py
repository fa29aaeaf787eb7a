"""What PUT makes of the catalogue's records."""

from collections.abc import Callable

import pytest
from django.db.models import Model

from tests.client import Api
from tests.factories import BillingProfileFactory, PlanFactory, PremiseFactory, ZoneFactory

pytestmark = pytest.mark.django_db

PLAN = {
    "code": "FIBRE-100", "name": "Fibre 100", "down_kbps": 100_000, "up_kbps": 20_000, "price": "29.90",
    "currency": "EUR",
}  # fmt: skip
PLAN_ROUTES = ["internet-plans", "products"]


@pytest.fixture
def api(admin_user):
    return Api(admin_user)


class TestPut:
    """What PUT leaves out goes back to its default; what PATCH leaves out stays."""

    def test_of_a_zone_moves_it_to_the_top(self, api, acting):
        zone = ZoneFactory(name="Hill", parent=ZoneFactory(name="North"))

        kept = api.patch(f"zones/{zone.pk}", {"name": "Hilltop"}).json()["data"]["parent_id"]
        replaced = api.put(f"zones/{zone.pk}", {"name": "Hilltop"}).json()["data"]["parent_id"]

        assert (kept, replaced) == (str(zone.parent_id), None)

    @pytest.mark.parametrize("route", PLAN_ROUTES)
    def test_of_a_plan(self, route, api, acting):
        more = {
            "burst_down_kbps": 200_000, "cap_bytes": 5, "period": "year", "tax_class": "reduced",
            "pool_hint": "cgnat", "sold_from": "2026-01-01", "sold_until": "2027-01-01",
            "zone_ids": [str(ZoneFactory().pk)],
        }  # fmt: skip
        made = api.post(route, PLAN | more).json()["data"]

        kept = api.patch(f"{route}/{made['id']}", {"name": "Fibre"}).json()["data"]
        replaced = api.put(f"{route}/{made['id']}", PLAN).json()["data"]

        assert {name: kept[name] for name in more} == more
        assert {name: replaced[name] for name in more} == {
            "burst_down_kbps": None, "cap_bytes": None, "period": "month", "tax_class": "", "pool_hint": "",
            "sold_from": None, "sold_until": None, "zone_ids": [],
        }  # fmt: skip

    def test_of_a_premise(self, api, acting):
        premise = PremiseFactory(zone=ZoneFactory(), address_line2="Apt 3", latitude=1, longitude=2)

        replaced = api.put(f"premises/{premise.pk}", {"address_line1": "1 New Road"}).json()["data"]

        shown = {name: replaced[name] for name in replaced if name not in ("id", "created_at", "updated_at")}
        assert shown == {
            "zone_id": None, "address_line1": "1 New Road", "address_line2": "", "city": "", "state": "",
            "postal_code": "", "country": "", "latitude": None, "longitude": None,
        }  # fmt: skip

    def test_of_a_billing_profile(self, api, acting):
        profile = BillingProfileFactory(
            grace_days=9, due_days=30, payment_kind="prepaid", tax_class="reduced"
        )

        refused = api.put(f"billing-profiles/{profile.pk}", {"name": "New", "currency": "EUR"})
        path, body = f"billing-profiles/{profile.pk}", {"name": "New", "currency": "EUR", "cycle_day": 3}
        replaced = api.put(path, body).json()["data"]

        error = refused.json()["error"]
        assert (refused.status_code, error["code"], error["field"]) == (422, "validation_error", "cycle_day")
        assert {name: replaced[name] for name in ("payment_kind", "cycle", "due_days", "grace_days")} == {
            "payment_kind": "postpaid", "cycle": "day_of_month", "due_days": 14, "grace_days": 0,
        }  # fmt: skip

    @pytest.mark.parametrize("route", ["zones", "internet-plans", "premises", "billing-profiles"])
    def test_of_what_get_answered_changes_nothing(self, route, api, acting):
        factories: dict[str, Callable[[], Model]] = {
            "zones": ZoneFactory,
            "internet-plans": PlanFactory,
            "premises": PremiseFactory,
            "billing-profiles": BillingProfileFactory,
        }
        shown = api.get(f"{route}/{factories[route]().pk}").json()["data"]

        again = api.put(f"{route}/{shown['id']}", shown).json()["data"]

        assert {**again, "updated_at": ""} == {**shown, "updated_at": ""}
