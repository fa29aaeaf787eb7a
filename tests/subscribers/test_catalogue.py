"""Zones, plans, premises and billing profiles, as an integrator and as the services use them."""

from decimal import Decimal
from typing import Any

import pytest

from subscribers.models import BillingProfile, Plan, PlanZone, Premise, Subscription, Zone
from subscribers.services import catalogue
from tests.client import Api
from tests.factories import BillingProfileFactory, PlanFactory, PremiseFactory, SubscriberFactory, ZoneFactory

pytestmark = pytest.mark.django_db

PLAN = {
    "code": "FIBRE-100", "name": "Fibre 100", "down_kbps": 100_000, "up_kbps": 20_000, "price": "29.90",
    "currency": "EUR",
}  # fmt: skip
PROFILE = {"name": "Monthly", "cycle": "day_of_month", "cycle_day": 5, "currency": "EUR"}
NOBODYS = "01900000-0000-7000-8000-000000000000"
PLAN_ROUTES = ["internet-plans", "products"]


@pytest.fixture
def api(admin_user: Any) -> Api:
    return Api(admin_user)


def refusal(response: Any) -> tuple[int, str, str]:
    error = response.json()["error"]
    return response.status_code, error["code"], error.get("field", "")


def wrong_fields(response: Any) -> list[str]:
    assert response.status_code == 422
    return sorted({each["field"] for each in response.json()["error"]["fields"]})


def found(response: Any, field: str) -> list[Any]:
    assert response.status_code == 200
    return sorted(row[field] for row in response.json()["data"])


def rows(model: Any) -> list[dict[str, Any]]:
    return list(model.objects.order_by("pk").values())


class TestZones:
    def test_are_made_read_changed_and_removed(self, api, acting):
        parent = ZoneFactory(name="North")

        made = api.post("zones", {"name": "Hill", "parent_id": str(parent.pk)})
        path = f"zones/{made.json()['data']['id']}"
        read = api.get(path)
        changed = api.patch(path, {"name": "Hilltop"}, If_Match=read["ETag"])
        moved = api.put(path, {"name": "Hilltop", "parent_id": None})
        gone = api.delete(path)

        assert (made.status_code, made["Location"]) == (201, f"http://testserver/api/v1/{path}")
        assert made["ETag"] == read["ETag"]
        assert (read.json()["data"]["name"], read.json()["data"]["parent_id"]) == ("Hill", str(parent.pk))
        assert (changed.status_code, changed.json()["data"]["name"]) == (200, "Hilltop")
        assert changed.json()["data"]["parent_id"] == str(parent.pk)
        assert (moved.status_code, moved.json()["data"]["parent_id"]) == (200, None)
        assert (gone.status_code, list(Zone.objects.all())) == (204, [parent])

    def test_of_one_name_are_refused(self, api, acting):
        ZoneFactory(name="Hill")
        before = rows(Zone)

        response = api.post("zones", {"name": "Hill"})

        assert refusal(response) == (409, "duplicate_zone_name", "name")
        assert rows(Zone) == before

    @pytest.mark.parametrize("parent", ["top", "middle", "bottom"])
    def test_cannot_lie_in_themselves(self, parent, api, acting):
        top = ZoneFactory(name="top")
        middle = ZoneFactory(name="middle", parent=top)
        ZoneFactory(name="bottom", parent=middle)
        before = rows(Zone)

        response = api.patch(f"zones/{top.pk}", {"parent_id": str(Zone.objects.get(name=parent).pk)})

        assert refusal(response) == (409, "zone_within_itself", "parent_id")
        assert rows(Zone) == before

    def test_move_beside_and_below_others(self, api, acting):
        top, other = ZoneFactory(), ZoneFactory()
        low = ZoneFactory(parent=top)

        response = api.patch(f"zones/{low.pk}", {"parent_id": str(other.pk)})

        low.refresh_from_db()
        assert (response.status_code, low.parent_id) == (200, other.pk)

    def test_in_a_zone_that_is_not_there_are_refused(self, api, acting):
        zone = ZoneFactory()
        before = rows(Zone)

        made = api.post("zones", {"name": "Hill", "parent_id": NOBODYS})
        changed = api.patch(f"zones/{zone.pk}", {"parent_id": NOBODYS})

        assert refusal(made) == refusal(changed) == (404, "not_found", "parent_id")
        assert rows(Zone) == before

    @pytest.mark.parametrize("user", ["zone", "premise", "plan"])
    def test_in_use_stay(self, user, api, acting):
        zone = ZoneFactory(name="Hill")
        if user == "zone":
            ZoneFactory(parent=zone)
        elif user == "premise":
            PremiseFactory(zone=zone)
        else:
            PlanZone.objects.create(plan=PlanFactory(), zone=zone)
        before = rows(Zone)

        response = api.delete(f"zones/{zone.pk}")

        assert refusal(response)[:2] == (409, "zone_in_use")
        assert f"{user}" in response.json()["error"]["message"]
        assert rows(Zone) == before

    def test_once_used_and_left_again_can_go(self, api, acting):
        zone = ZoneFactory()
        ZoneFactory(parent=zone).delete()
        PremiseFactory(zone=zone).delete()
        catalogue.create_plan(**PLAN, zone_ids=[zone.pk])
        catalogue.change_plan(plan_id=Plan.objects.get().pk, zone_ids=[])

        response = api.delete(f"zones/{zone.pk}")

        assert (response.status_code, rows(Zone)) == (204, [])

    def test_are_found_by_name_and_parent(self, api, acting):
        north = ZoneFactory(name="North")
        ZoneFactory(name="Hill", parent=north)
        ZoneFactory(name="Hollow")

        assert found(api.get(f"zones?parent_id={north.pk}"), "name") == ["Hill"]
        assert found(api.get("zones?name=H*"), "name") == ["Hill", "Hollow"]
        assert found(api.get("zones?search=ort"), "name") == ["North"]

    def test_all_wrong_fields_are_named(self, api, acting):
        response = api.post("zones", {"name": "x" * 81, "parent_id": "hill", "colour": "red"})

        assert wrong_fields(response) == ["colour", "name", "parent_id"]
        assert rows(Zone) == []


@pytest.mark.parametrize("route", PLAN_ROUTES)
class TestPlansByEitherName:
    def test_are_made_read_changed_and_removed(self, route, api, acting):
        zones = [str(ZoneFactory().pk) for _ in range(3)]

        made = api.post(route, PLAN | {"zone_ids": zones[:2], "cap_bytes": 10**12, "sold_from": "2026-01-01"})
        path = f"{route}/{made.json()['data']['id']}"
        read = api.get(path)
        changed = api.patch(path, {"price": "30", "zone_ids": zones[1:]}, If_Match=read["ETag"])
        stale = api.patch(path, {"price": "31.00"}, If_Match=read["ETag"])

        assert (made.status_code, made["Location"]) == (201, f"http://testserver/api/v1/{path}")
        assert {k: v for k, v in read.json()["data"].items() if k not in ("id", "created_at", "updated_at")} == {
            **PLAN, "burst_down_kbps": None, "burst_up_kbps": None, "cap_bytes": 10**12, "period": "month",
            "tax_class": "", "pool_hint": "", "sold_from": "2026-01-01", "sold_until": None,
            "zone_ids": sorted(zones[:2]),
        }  # fmt: skip
        assert (changed.status_code, changed.json()["data"]["price"]) == (200, "30.00")
        assert changed.json()["data"]["zone_ids"] == sorted(zones[1:])
        assert changed["ETag"] == api.get(path)["ETag"]
        assert refusal(stale)[:2] == (412, "stale_version")
        assert Plan.objects.get().price == Decimal("30.00")
        assert api.delete(path).status_code == 204
        assert (rows(Plan), rows(PlanZone)) == ([], [])

    def test_in_use_stay(self, route, api, acting):
        plan = PlanFactory()
        Subscription.objects.create(
            number=1, subscriber=SubscriberFactory(), plan=plan, premise=PremiseFactory()
        )
        before = rows(Plan)

        response = api.delete(f"{route}/{plan.pk}")

        assert refusal(response)[:2] == (409, "plan_in_use")
        assert rows(Plan) == before


class TestPlans:
    def test_keep_the_zones_that_are_not_named(self, api, acting):
        zone = ZoneFactory()
        plan = catalogue.create_plan(**PLAN, zone_ids=[zone.pk])
        link = PlanZone.objects.get()

        response = api.patch(f"products/{plan.pk}", {"name": "Other"})
        again = api.patch(f"products/{plan.pk}", {"zone_ids": [str(zone.pk), str(zone.pk)]})

        assert response.json()["data"]["zone_ids"] == again.json()["data"]["zone_ids"] == [str(zone.pk)]
        assert PlanZone.objects.get() == link

    def test_are_sold_everywhere_again_when_the_zones_are_emptied(self, api, acting):
        plan = catalogue.create_plan(**PLAN, zone_ids=[ZoneFactory().pk])

        response = api.patch(f"products/{plan.pk}", {"zone_ids": []})

        assert (response.status_code, response.json()["data"]["zone_ids"]) == (200, [])
        assert rows(PlanZone) == []

    def test_in_a_zone_that_is_not_there_are_refused_whole(self, api, acting):
        zone = ZoneFactory()
        plan = PlanFactory(name="Old")
        before = rows(Plan)
        zone_ids = [str(zone.pk), NOBODYS]

        made = api.post("products", PLAN | {"zone_ids": zone_ids})
        changed = api.patch(f"products/{plan.pk}", {"name": "New", "zone_ids": zone_ids})

        assert refusal(made) == refusal(changed) == (404, "not_found", "zone_ids")
        assert (rows(Plan), rows(PlanZone)) == (before, [])

    def test_zones_are_written_in_a_constant_number_of_queries(self, api, acting, query_count):
        one, many = [[ZoneFactory().pk for _ in range(n)] for n in (1, 6)]

        first = query_count(catalogue.create_plan, **PLAN, zone_ids=one)

        assert query_count(catalogue.create_plan, **PLAN | {"code": "B"}, zone_ids=many) == first

    def test_of_one_code_are_refused(self, api, acting):
        PlanFactory(code="FIBRE-100")
        before = rows(Plan)

        assert refusal(api.post("products", PLAN)) == (409, "duplicate_plan_code", "code")
        assert rows(Plan) == before

    @pytest.mark.parametrize(
        ("fields", "wrong"),
        [
            ({"price": 29.9}, ["price"]),
            ({"price": "29.901"}, ["price"]),
            ({"price": "-1.00"}, ["price"]),
            ({"price": "1e3"}, ["price"]),
            ({"price": "NaN", "currency": "eur"}, ["currency", "price"]),
            ({"down_kbps": 0, "up_kbps": 10**9 + 1}, ["down_kbps", "up_kbps"]),
            ({"burst_down_kbps": -1, "cap_bytes": 0}, ["burst_down_kbps", "cap_bytes"]),
            ({"cap_bytes": 2**63}, ["cap_bytes"]),
            ({"period": "week", "code": ""}, ["code", "period"]),
            ({"sold_from": "2026-02-30"}, ["sold_from"]),
            ({"sold_from": "2026-02-01", "sold_until": "2026-02-01"}, ["sold_until"]),
            ({"zone_ids": "all"}, ["zone_ids"]),
            ({"colour": "red", "name": 5}, ["colour", "name"]),
        ],
    )
    def test_wrong_fields_are_all_named(self, fields, wrong, api, acting):
        plan = PlanFactory()
        before = rows(Plan)

        assert wrong_fields(api.post("products", PLAN | fields)) == wrong
        assert wrong_fields(api.patch(f"products/{plan.pk}", fields)) == wrong
        assert rows(Plan) == before

    def test_end_of_sale_is_held_against_the_begin_that_is_stored(self, api, acting):
        plan = PlanFactory(sold_from="2026-02-01")
        before = rows(Plan)

        assert wrong_fields(api.patch(f"products/{plan.pk}", {"sold_until": "2026-01-31"})) == ["sold_until"]
        assert rows(Plan) == before

    def test_are_found_by_day_of_sale(self, api, acting):
        for code, begin, end in (
            ("always", None, None),
            ("january", "2026-01-01", "2026-02-01"),
            ("from-february", "2026-02-01", None),
            ("until-february", None, "2026-02-01"),
        ):
            PlanFactory(code=code, sold_from=begin, sold_until=end)

        assert found(api.get("products?sold_on=2026-01-31"), "code") == [
            "always",
            "january",
            "until-february",
        ]
        assert found(api.get("products?sold_on=2026-02-01"), "code") == ["always", "from-february"]
        assert found(api.get("products?sold_on=2025-12-31"), "code") == ["always", "until-february"]
        assert refusal(api.get("products?sold_on=31/01/2026")) == (422, "validation_error", "sold_on")

    def test_are_found_by_zone_with_those_around_and_those_sold_everywhere(self, api, acting):
        north, south = ZoneFactory(), ZoneFactory()
        hill = ZoneFactory(parent=north)
        PlanFactory(code="everywhere")
        for code, zones in (("north", [north, south]), ("south", [south]), ("hill", [hill])):
            catalogue.create_plan(**PLAN | {"code": code}, zone_ids=[zone.pk for zone in zones])

        assert found(api.get(f"products?zone_id={hill.pk}"), "code") == ["everywhere", "hill", "north"]
        assert found(api.get(f"products?zone_id={north.pk}"), "code") == ["everywhere", "north"]
        assert found(api.get(f"products?zone_id={south.pk}"), "code") == ["everywhere", "north", "south"]
        assert found(api.get(f"products?zone_id={NOBODYS}"), "code") == []

    def test_are_found_by_price_and_currency(self, api, acting):
        for code, price, currency in (("a", "10.00", "EUR"), ("b", "20.00", "EUR"), ("c", "20.00", "USD")):
            PlanFactory(code=code, price=price, currency=currency)

        assert found(api.get("products?currency=EUR&price__gte=10.01"), "code") == ["b"]
        assert found(api.get("products?price__lte=10"), "code") == ["a"]
        for value in ("x", "NaN", "1e400", "-1e999999", "1e-9"):
            assert refusal(api.get(f"products?price__gte={value}")) == (422, "validation_error", "price__gte")


class TestPremises:
    def test_are_made_read_changed_and_removed(self, api, acting):
        zone = ZoneFactory()

        made = api.post(
            "premises",
            {
                "address_line1": "1 Hill Road",
                "zone_id": str(zone.pk),
                "latitude": 38.7222524,
                "longitude": -9.1,
            },
        )
        path = f"premises/{made.json()['data']['id']}"
        read = api.get(path)
        changed = api.patch(path, {"country": "PT", "zone_id": None}, If_Match=read["ETag"])

        assert (made.status_code, made["Location"]) == (201, f"http://testserver/api/v1/{path}")
        assert {k: v for k, v in read.json()["data"].items() if k not in ("id", "created_at", "updated_at")} == {
            "zone_id": str(zone.pk), "address_line1": "1 Hill Road", "address_line2": "", "city": "", "state": "",
            "postal_code": "", "country": "", "latitude": 38.722252, "longitude": -9.1,
        }  # fmt: skip
        assert read["ETag"] == made["ETag"]
        assert (changed.json()["data"]["country"], changed.json()["data"]["zone_id"]) == ("PT", None)
        assert Premise.objects.get().latitude == Decimal("38.722252")
        assert api.delete(path).status_code == 204
        assert rows(Premise) == []

    @pytest.mark.parametrize(
        ("fields", "wrong"),
        [
            ({"latitude": 90.1, "longitude": -180.1}, ["latitude", "longitude"]),
            ({"latitude": "38", "longitude": 1}, ["latitude"]),
            ({"latitude": 38}, ["longitude"]),
            ({"longitude": 38}, ["latitude"]),
            ({"country": "pt", "address_line1": ""}, ["address_line1", "country"]),
            ({"country": "PRT", "postal_code": "1" * 21}, ["country", "postal_code"]),
            ({"zone": NOBODYS, "zone_id": 1}, ["zone", "zone_id"]),
        ],
    )
    def test_wrong_fields_are_all_named(self, fields, wrong, api, acting):
        premise = PremiseFactory()
        before = rows(Premise)

        assert wrong_fields(api.post("premises", {"address_line1": "1 Hill Road"} | fields)) == wrong
        assert wrong_fields(api.patch(f"premises/{premise.pk}", fields)) == wrong
        assert rows(Premise) == before

    def test_in_a_zone_that_is_not_there_are_refused(self, api, acting):
        premise = PremiseFactory()
        before = rows(Premise)

        made = api.post("premises", {"address_line1": "1 Hill Road", "zone_id": NOBODYS})
        changed = api.patch(f"premises/{premise.pk}", {"city": "New", "zone_id": NOBODYS})

        assert refusal(made) == refusal(changed) == (404, "not_found", "zone_id")
        assert rows(Premise) == before

    def test_in_use_stay(self, api, acting):
        premise = PremiseFactory()
        Subscription.objects.create(
            number=1, subscriber=SubscriberFactory(), plan=PlanFactory(), premise=premise
        )
        before = rows(Premise)

        assert refusal(api.delete(f"premises/{premise.pk}"))[:2] == (409, "premise_in_use")
        assert rows(Premise) == before

    def test_are_found_by_zone_and_address(self, api, acting):
        zone = ZoneFactory()
        PremiseFactory(address_line1="1 Hill Road", zone=zone, city="Northport")
        PremiseFactory(address_line1="2 Hill Road", city="Southport")

        assert found(api.get(f"premises?zone_id={zone.pk}"), "address_line1") == ["1 Hill Road"]
        assert found(api.get("premises?search=hill northport"), "address_line1") == ["1 Hill Road"]


class TestBillingProfiles:
    def test_are_made_read_changed_and_removed(self, api, acting):
        made = api.post("billing-profiles", PROFILE)
        path = f"billing-profiles/{made.json()['data']['id']}"
        read = api.get(path)
        changed = api.patch(path, {"cycle": "anniversary", "cycle_day": None}, If_Match=read["ETag"])

        assert (made.status_code, made["Location"]) == (201, f"http://testserver/api/v1/{path}")
        assert {k: v for k, v in read.json()["data"].items() if k not in ("id", "created_at", "updated_at")} == {
            **PROFILE, "payment_kind": "postpaid", "due_days": 14, "grace_days": 0, "tax_class": "",
        }  # fmt: skip
        assert (changed.status_code, changed.json()["data"]["cycle"]) == (200, "anniversary")
        assert api.delete(path).status_code == 204
        assert rows(BillingProfile) == []

    @pytest.mark.parametrize(
        ("fields", "wrong"),
        [
            ({"cycle_day": None}, ["cycle_day"]),
            ({"cycle": "anniversary"}, ["cycle_day"]),
            ({"cycle_day": 32, "due_days": 366}, ["cycle_day", "due_days"]),
            ({"cycle_day": 0, "grace_days": -1}, ["cycle_day", "grace_days"]),
            ({"cycle": "weekly", "payment_kind": "later"}, ["cycle", "payment_kind"]),
            ({"name": "", "currency": "EURO"}, ["currency", "name"]),
        ],
    )
    def test_wrong_fields_are_all_named(self, fields, wrong, api, acting):
        profile = BillingProfileFactory()
        before = rows(BillingProfile)

        created = api.post("billing-profiles", PROFILE | fields)
        changed = api.patch(f"billing-profiles/{profile.pk}", fields)

        assert wrong_fields(created) == wrong_fields(changed) == wrong
        assert rows(BillingProfile) == before

    def test_need_a_day_also_when_the_cycle_is_left_to_the_default(self, api, acting):
        response = api.post("billing-profiles", {"name": "Monthly", "currency": "EUR"})

        assert wrong_fields(response) == ["cycle_day"]
        assert rows(BillingProfile) == []

    def test_of_one_name_are_refused(self, api, acting):
        BillingProfileFactory(name="Monthly")
        before = rows(BillingProfile)

        response = api.post("billing-profiles", PROFILE)

        assert refusal(response) == (409, "duplicate_billing_profile_name", "name")
        assert rows(BillingProfile) == before

    def test_in_use_stay(self, api, acting):
        profile = BillingProfileFactory()
        SubscriberFactory(billing_profile=profile)
        before = rows(BillingProfile)

        assert refusal(api.delete(f"billing-profiles/{profile.pk}"))[:2] == (409, "billing_profile_in_use")
        assert rows(BillingProfile) == before

    def test_are_found_by_kind(self, api, acting):
        BillingProfileFactory(name="Before", payment_kind="prepaid")
        BillingProfileFactory(name="After", cycle="anniversary", cycle_day=None)

        assert found(api.get("billing-profiles?payment_kind=prepaid"), "name") == ["Before"]
        assert found(api.get("billing-profiles?cycle=anniversary&currency=EUR"), "name") == ["After"]
