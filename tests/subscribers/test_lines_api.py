"""Services over HTTP."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from ispcore.api.models import IdempotentAnswer
from ispcore.events.models import Event
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import AuditEntry
from ispcore.tenants.roles import Role
from subscribers.models import Hold, PlanChange, ServiceStatus, Subscription
from subscribers.services.periods import local_date
from tests.client import Api
from tests.factories import PlanFactory, PremiseFactory, SubscriberFactory, SubscriptionFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(admin_user):
    return Api(admin_user)


@pytest.fixture
def line(acting):
    return SubscriptionFactory(status=ServiceStatus.ACTIVE, provisioned_at=timezone.now())


def refusal(response) -> tuple[int, str, str]:
    error = response.json()["error"]
    return response.status_code, error["code"], error.get("field", "")


def wrong_fields(response) -> list[str]:
    return sorted(each["field"] for each in response.json()["error"]["fields"])


def stored(line: Subscription) -> dict:
    return Subscription.objects.values().get(pk=line.pk)


class TestCreate:
    @pytest.fixture
    def order(self, acting) -> dict[str, str]:
        rows = {
            "customer_id": SubscriberFactory(),
            "product_id": PlanFactory(),
            "premise_id": PremiseFactory(),
        }
        return {name: str(row.pk) for name, row in rows.items()}  # type: ignore[attr-defined]

    def test_answers_the_service_and_where_it_is(self, api, order, admin_user):
        response = api.post("services", order | {"sales_agent": "Thandeka", "wifi_password": "correct-horse"})

        shown = response.json()["data"]
        assert response.status_code == 201
        assert response["Location"].endswith(f"/api/v1/services/{shown['id']}")
        assert shown == order | {
            "id": shown["id"], "number": 1, "status": "pending_installation", "isp_reference": "", "wifi_name": "",
            "has_wifi_password": True, "sales_agent": "Thandeka", "created_by_id": str(admin_user.pk),
            "provisioned_date": None, "created_at": shown["created_at"], "updated_at": shown["updated_at"],
        }  # fmt: skip
        assert api.get("services/1").json()["data"] == shown
        assert api.get(f"services/{shown['id']}")["ETag"] == response["ETag"]

    def test_names_all_that_is_missing_or_wrong(self, api, order):
        missing = api.post("services", {})
        wrong = api.post(
            "services",
            order | {
                "premise_id": 7, "wifi_name": "é" * 17, "wifi_password": "short", "isp_reference": "x" * 81,
                "status": "active",
            },
        )  # fmt: skip

        assert (missing.status_code, wrong_fields(missing)) == (
            400,
            ["customer_id", "premise_id", "product_id"],
        )
        assert (wrong.status_code, wrong_fields(wrong)) == (
            422, ["isp_reference", "premise_id", "status", "wifi_name", "wifi_password"],
        )  # fmt: skip
        assert not Subscription.objects.exists()

    @pytest.mark.parametrize("name", ["customer_id", "product_id", "premise_id"])
    def test_of_what_another_tenant_has_is_404(self, name, api, order, other_tenant):
        with tenant_context(other_tenant.pk):
            theirs = SubscriptionFactory()
        ids = {
            "customer_id": theirs.subscriber_id,
            "product_id": theirs.plan_id,
            "premise_id": theirs.premise_id,
        }

        response = api.post("services", order | {name: str(ids[name])})

        assert refusal(response) == (404, "not_found", name)
        assert not Subscription.objects.exists()

    def test_of_a_plan_no_longer_sold_is_409(self, api, order):
        plan = PlanFactory(sold_until=timezone.now().date() - timedelta(days=2))

        response = api.post("services", order | {"product_id": str(plan.pk)})

        assert refusal(response) == (409, "plan_not_sold", "product_id")
        assert (Subscription.objects.count(), Event.objects.count()) == (0, 0)

    def test_repeated_with_its_key_is_one(self, api, order):
        answers = [api.post("services", order, X_Idempotency_Key="k") for _ in range(2)]

        assert answers[0].json()["data"] == answers[1].json()["data"]
        assert Subscription.objects.count() == 1


class TestShow:
    def test_by_number_or_id_and_nothing_else(self, api, line):
        assert api.get(f"services/{line.number}").json()["data"]["id"] == str(line.pk)
        for nobody in ("1", "0", "abc", "1_0", "99999999999999", "+1", str(uuid4())):
            assert api.get(f"services/{nobody}").status_code == 404

    def test_filters(self, api, acting):
        lines = [SubscriptionFactory(isp_reference=f"REF-{n}") for n in range(2)]
        lines.append(SubscriptionFactory(status=ServiceStatus.ACTIVE))
        one = lines[0]
        found = {
            "status=active": [lines[2].number],
            f"customer_id={one.subscriber_id}": [one.number],
            f"subscriber_id={one.subscriber_id}": [one.number],
            f"product_id={one.plan_id}": [one.number],
            f"plan_id={one.plan_id}": [one.number],
            f"premise_id={one.premise_id}": [one.number],
            f"number={one.number}": [one.number],
            "isp_reference=REF-1": [lines[1].number],
            "isp_reference=REF-*&ordering=number": [lines[0].number, lines[1].number],
            "created_at__lte=2000-01-01T00:00:00Z": [],
        }

        for query, numbers in found.items():
            rows = api.get(f"services?{query}").json()["data"]
            assert [row["number"] for row in rows] == numbers, query

    @pytest.mark.parametrize(
        "query", ["number=x", "number=0", "number=1.5", "number=99999999999", "status=no"]
    )
    def test_filters_refuse_what_is_no_value(self, query, api):
        assert refusal(api.get(f"services?{query}")) == (422, "validation_error", query.partition("=")[0])


class TestUpdate:
    @pytest.mark.parametrize("verb", ["put", "patch"])
    def test_changes_three_fields_and_answers_all(self, verb, api, line):
        change = {"isp_reference": "R1", "wifi_name": "Home", "wifi_password": "correct horse"}

        shown = getattr(api, verb)(f"services/{line.pk}", change).json()["data"]

        assert (shown["isp_reference"], shown["wifi_name"], shown["has_wifi_password"]) == (
            "R1",
            "Home",
            True,
        )
        assert shown == api.get(f"services/{line.pk}").json()["data"]
        assert Subscription.objects.get().wifi_password.reveal() == "correct horse"
        assert [event.name for event in Event.objects.all()] == ["subscribers.subscription_changed"]

    def test_of_anything_else_is_422(self, api, line):
        before = stored(line)

        response = api.patch(
            f"services/{line.pk}", {"status": "terminated", "number": 5, "isp_reference": "R"}
        )

        assert (response.status_code, wrong_fields(response)) == (422, ["number", "status"])
        assert stored(line) == before

    def test_that_changes_nothing_tells_nobody(self, api, line):
        assert api.patch(f"services/{line.pk}", {"isp_reference": line.isp_reference}).status_code == 200

        assert not Event.objects.exists()

    def test_of_an_older_version_is_412(self, api, line):
        tag = api.get(f"services/{line.pk}")["ETag"]
        api.patch(f"services/{line.pk}", {"wifi_name": "first"}, If_Match=tag)

        response = api.patch(f"services/{line.pk}", {"wifi_name": "second"}, If_Match=tag)

        assert (response.status_code, Subscription.objects.get().wifi_name) == (412, "first")


class TestWifiPassword:
    @pytest.fixture(autouse=True)
    def _password(self, line):
        line.wifi_password = "correct horse"
        line.save()

    def test_is_shown_to_who_may_and_recorded(self, api, line, admin_user):
        response = api.post(f"services/{line.number}/reveal-wifi-password", X_Idempotency_Key="k")

        assert (response.json()["data"], response["Cache-Control"]) == (
            {"wifi_password": "correct horse"}, "no-store",
        )  # fmt: skip
        entry = AuditEntry.objects.get()
        assert (entry.action, entry.detail) == ("revealed WiFi password", f"service {line.number}")
        assert (entry.user_id, entry.request_id) == (admin_user.pk, response["X-Request-ID"])
        assert not IdempotentAnswer.objects.filter(body__contains="correct").exists()

    def test_is_kept_from_others(self, line, make_user, tenant):
        api = Api(make_user("staff", {tenant: Role.STAFF_MEMBER}))

        response = api.post(f"services/{line.pk}/reveal-wifi-password")

        assert refusal(response)[:2] == (403, "permission_denied")
        assert not AuditEntry.objects.exists()
        assert "correct" not in api.get(f"services/{line.pk}").content.decode()


class TestActions:
    def test_take_a_line_through_its_life(self, api, acting, admin_user):
        number = SubscriptionFactory().number

        def do(deed: str, **body) -> str:
            return str(api.post(f"services/{number}/{deed}", body or None).json()["data"]["status"])

        seen = [do("activate"), do("suspend", reason="abuse", note="spam"), do("suspend"), do("resume")]
        seen += [do("resume", reason="abuse"), do("terminate"), do("terminate")]

        assert seen == [
            "active", "suspended", "suspended", "suspended", "active", "terminated", "terminated",
        ]  # fmt: skip
        holds = api.get(f"services/{number}/holds").json()["data"]
        assert [(each["reason"], each["note"]) for each in holds] == [("staff", ""), ("abuse", "spam")]
        assert {each["opened_by_id"] for each in holds} == {str(admin_user.pk)}

    def test_that_the_status_forbids_are_409(self, api, line):
        before = stored(line)

        assert refusal(api.post(f"services/{line.pk}/activate"))[:2] == (409, "transition_not_allowed")
        assert refusal(api.post(f"services/{line.pk}/cancel"))[:2] == (409, "transition_not_allowed")
        assert refusal(api.post(f"services/{line.pk}/resume")) == (409, "hold_not_open", "reason")
        assert (stored(line), Event.objects.count()) == (before, 0)

    def test_a_line_never_installed_is_cancelled(self, api, acting):
        line = SubscriptionFactory()

        assert refusal(api.post(f"services/{line.pk}/terminate"))[:2] == (409, "transition_not_allowed")
        assert api.post(f"services/{line.pk}/cancel").json()["data"]["status"] == "cancelled"

    def test_refuse_what_is_wrong_in_their_bodies(self, api, line):
        body = {"reason": "mood", "until": "2001-01-01T00:00:00Z", "note": "x" * 201, "why": 1}

        response = api.post(f"services/{line.pk}/suspend", body)

        assert (response.status_code, wrong_fields(response)) == (422, ["note", "reason", "until", "why"])
        assert not Hold.objects.exists()

    def test_holds_cost_the_same_for_one_or_many(self, api, line, query_count):
        path = f"services/{line.pk}/holds"
        api.post(f"services/{line.pk}/suspend", {"reason": "abuse"})
        one = query_count(api.get, path)
        for reason in ("fraud", "staff"):
            api.post(f"services/{line.pk}/suspend", {"reason": reason})

        assert query_count(api.get, path) == one


class TestChangePlan:
    def test_can_be_previewed(self, api, line):
        plan = PlanFactory()

        response = api.post(f"services/{line.pk}/change-plan", {"product_id": str(plan.pk), "preview": True})

        told = response.json()["data"]
        assert (told["state"], told["to_product_id"]) == ("preview", str(plan.pk))
        assert (told["credit"] == told["charge"], told["net"], told["currency"]) == (True, "0.00", "EUR")
        assert told["service"]["product_id"] == str(line.plan_id)
        assert not PlanChange.objects.exists()

    def test_is_made_now(self, api, line):
        plan = PlanFactory()

        told = api.post(f"services/{line.pk}/change-plan", {"product_id": str(plan.pk)}).json()["data"]

        assert (told["state"], told["service"]["product_id"]) == ("applied", str(plan.pk))
        assert told["from_product_id"] == str(line.plan_id)

    def test_waits_for_its_day_and_can_be_called_off(self, api, line):
        day = local_date(timezone.now()) + timedelta(days=9)
        body = {"product_id": str(PlanFactory().pk), "effective_on": day.isoformat()}

        first = api.post(f"services/{line.pk}/change-plan", body)
        second = api.post(f"services/{line.pk}/change-plan", body)
        called_off = api.delete(f"services/{line.pk}/change-plan")
        third = api.post(f"services/{line.pk}/change-plan", body)

        assert first.json()["data"]["state"] == third.json()["data"]["state"] == "waiting"
        assert refusal(second)[:2] == (409, "plan_change_waiting")
        assert called_off.status_code == 204
        assert PlanChange.objects.filter(cancelled_at=None).count() == 1

    @pytest.mark.parametrize("day", ["2001-01-01", "9999-12-31", "01/02/2027", "2027-02-30", 5])
    def test_on_a_day_that_is_none_is_422(self, day, api, line):
        response = api.post(
            f"services/{line.pk}/change-plan", {"product_id": str(PlanFactory().pk), "effective_on": day}
        )

        assert refusal(response) == (422, "validation_error", "effective_on")
        assert not PlanChange.objects.exists()

    def test_to_another_tenants_plan_is_404(self, api, line, other_tenant):
        with tenant_context(other_tenant.pk):
            theirs = PlanFactory()

        for preview in (True, False):
            response = api.post(
                f"services/{line.pk}/change-plan", {"product_id": str(theirs.pk), "preview": preview}
            )
            assert refusal(response) == (404, "not_found", "product_id")
        assert not PlanChange.objects.exists()
