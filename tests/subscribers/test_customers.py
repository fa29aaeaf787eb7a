"""A customer's record: made, found, changed, and refused when it is a duplicate."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from ispcore.events.models import Event
from subscribers.models import (
    DuplicateRule,
    Subscriber,
    SubscriberSettings,
    SubscriberStatus,
    SubscriberWord,
)
from subscribers.services import customers
from tests.factories import BillingProfileFactory

pytestmark = pytest.mark.django_db

JANE: dict[str, Any] = {
    "external_id": "crm-23991",
    "full_name": "Jane Doe",
    "email": "Jane@Example.com",
    "phone": "+1 (555) 000-1234",
    "status": "prospect",
    "address": {"line1": "101 Fiber Street", "city": "Austin", "state": "TX", "postal_code": "78701"},
    "document": {"type": "passport", "number": "ab-12.34"},
    "metadata": {"source": "website_signup", "score": 1.5, "vip": True, "note": None},
    "tags": ["Fibre", "fibre", "VIP"],
}


def refusal(response) -> tuple[int, str, str]:
    error = response.json()["error"]
    return response.status_code, error["code"], error.get("field", "")


def wrong_fields(response) -> dict[str, str]:
    return {each["field"]: each["code"] for each in response.json()["error"]["fields"]}


def names(response) -> list[str]:
    assert response.status_code == 200, response.content
    return [row["full_name"] for row in response.json()["data"]]


class TestCreate:
    def test_answers_the_record_and_where_it_is(self, api, acting):
        profile = BillingProfileFactory()

        response = api.post("subscribers", JANE | {"billing_profile_id": str(profile.pk)})

        data = response.json()["data"]
        assert response.status_code == 201
        assert response["Location"].endswith(f"/api/v1/subscribers/{data['id']}")
        assert {
            name: value for name, value in data.items() if name not in ("id", "created_at", "updated_at")
        } == {
            **JANE,
            "number": "SUB-000001",
            "billing_profile_id": str(profile.pk),
            "address": {**JANE["address"], "line2": "", "country": ""},
            "tags": ["fibre", "vip"],
            "custom_fields": {},
            "terms_accepted_at": None,
            "marketing_consent_at": None,
            "suspended_until": None,
        }
        row = Subscriber.objects.get()
        assert (row.email_lower, row.phone_e164, row.document_normal) == (
            "jane@example.com", "+15550001234", "AB1234",
        )  # fmt: skip
        assert [(event.name, event.payload) for event in Event.objects.all()] == [
            ("subscribers.subscriber_created", {"subscriber_id": data["id"]})
        ]

    def test_needs_a_name_and_a_status_only(self, api, acting):
        response = api.post("subscribers", {"full_name": "Jane Doe", "status": "active"})

        assert response.status_code == 201
        row = Subscriber.objects.get()
        assert (row.status, row.external_id, row.document_type, row.metadata) == ("active", "", "", {})

    def test_names_all_that_is_missing(self, api, acting):
        response = api.post("subscribers", {"email": "jane@example.com"})

        assert refusal(response) == (400, "missing_field", "full_name")
        assert wrong_fields(response) == {"full_name": "required", "status": "required"}
        assert not Subscriber.objects.exists()

    def test_names_all_that_is_wrong_and_makes_nothing(self, api, acting):
        response = api.post(
            "subscribers",
            {
                "full_name": "",
                "status": "hot lead",
                "email": "nobody",
                "phone": "call me",
                "billing_profile_id": "bp_001",
                "address": {"line1": 7, "country": "Portugal", "planet": "Earth"},
                "document": {"type": "stamp", "number": "-"},
                "metadata": {"deep": {"a": 1}},
                "tags": ["x" * 41],
                "number": "SUB-9",
                "fullname": "Jane",
            },
        )

        assert response.status_code == 422
        assert set(wrong_fields(response)) == {
            "full_name", "status", "email", "phone", "billing_profile_id", "address.line1", "address.country",
            "address.planet", "document.type", "document.number", "metadata", "tags.0", "fullname",
        }  # fmt: skip
        assert not Subscriber.objects.exists()
        assert not Event.objects.exists()

    @pytest.mark.parametrize(
        "metadata",
        [
            [], "text", {"a": []}, {"a": {}}, {str(n): n for n in range(51)}, {"a": "x" * 4096}, {"a": "\x00"},
            {"\x00": 1}, {"a": 2**63},
        ],
    )  # fmt: skip
    def test_bounds_metadata(self, metadata, api, acting):
        response = api.post("subscribers", JANE | {"metadata": metadata})

        assert refusal(response) == (422, "validation_error", "metadata")
        assert not Subscriber.objects.exists()

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("full_name", "\ud800"), ("full_name", "a\x00b"), ("external_id", "\ud800"), ("tags", ["\ud800"]),
            ("tags", [" "]), ("tags", "vip"), ("metadata", {"a": "\ud800"}), ("email", "x" * 250 + "@example.com"),
            ("phone", "1" * 40), ("document", {"number": "ﷺ" * 60}), ("document", "AB1"), ("address", None),
        ],
    )  # fmt: skip
    def test_refuses_what_cannot_be_kept(self, name, value, api, acting):
        response = api.post("subscribers", JANE | {name: value})

        assert response.status_code in (400, 422)
        assert not Subscriber.objects.exists()

    def test_bounds_tags(self, api, acting):
        assert api.post("subscribers", JANE | {"tags": [str(n) for n in range(20)]}).status_code == 201
        response = api.post("subscribers", JANE | {"external_id": "b", "tags": [str(n) for n in range(21)]})

        assert refusal(response) == (422, "validation_error", "tags")
        assert Subscriber.objects.count() == 1

    def test_numbers_follow_each_other(self, api, acting):
        numbers = [
            api.post("subscribers", {"full_name": "Jane", "status": "active"}).json()["data"]["number"]
            for _ in range(3)
        ]

        assert numbers == ["SUB-000001", "SUB-000002", "SUB-000003"]

    def test_a_refused_one_leaves_no_gap(self, api, acting):
        api.post("subscribers", JANE)
        assert api.post("subscribers", JANE).status_code == 409

        made = api.post("subscribers", JANE | {"external_id": "other"})

        assert made.json()["data"]["number"] == "SUB-000002"

    def test_an_external_id_is_one_customers(self, api, acting):
        first = api.post("subscribers", JANE).json()["data"]
        customers.deactivate_subscriber(subscriber_id=first["id"], at=Subscriber.objects.get().created_at)

        response = api.post("subscribers", {**JANE, "full_name": "Somebody else"})

        assert refusal(response) == (409, "duplicate_subscriber", "external_id")
        assert (
            response.json()["error"]["message"]
            == "A subscriber with the provided external_id already exists."
        )
        assert [row.full_name for row in Subscriber.objects.all()] == ["Jane Doe"]

    def test_an_unknown_billing_profile_is_404(self, api, acting):
        response = api.post(
            "subscribers", JANE | {"billing_profile_id": "01900000-0000-7000-8000-000000000000"}
        )

        assert refusal(response) == (404, "not_found", "billing_profile_id")
        assert not Subscriber.objects.exists()

    def test_a_phone_without_a_country_is_of_the_providers(self, api, acting):
        SubscriberSettings.objects.create(phone_region="PT")

        api.post("subscribers", JANE | {"phone": "912 345 678"})

        row = Subscriber.objects.get()
        assert (row.phone, row.phone_e164) == ("912 345 678", "+351912345678")


class TestDuplicateRules:
    OTHER = {"full_name": "John Roe", "status": "active"}

    @pytest.fixture
    def jane(self, api, acting):
        api.post("subscribers", JANE)
        return Subscriber.objects.get()

    @pytest.mark.parametrize(
        ("rule", "same"),
        [
            (DuplicateRule.EMAIL, {"email": "JANE@example.com"}),
            (DuplicateRule.PHONE, {"phone": "555 000 1234"}),
            (DuplicateRule.DOCUMENT, {"document": {"type": "other", "number": "AB 1234"}}),
        ],
    )
    def test_refuse_only_what_the_provider_keeps_apart(self, rule, same, jane, api):
        body = self.OTHER | same
        SubscriberSettings.objects.create(duplicate_rules=[rule])

        response = api.post("subscribers", body)

        assert refusal(response) == (409, "duplicate_subscriber", str(rule))
        assert Subscriber.objects.count() == 1
        SubscriberSettings.objects.update(duplicate_rules=[])
        assert api.post("subscribers", body).status_code == 201

    def test_forget_who_has_left_until_they_come_back(self, jane, api):
        SubscriberSettings.objects.create(duplicate_rules=["email"])
        assert api.delete(f"subscribers/{jane.pk}").status_code == 204
        assert api.post("subscribers", self.OTHER | {"email": JANE["email"]}).status_code == 201

        response = api.post(f"subscribers/{jane.pk}/activate")

        assert refusal(response) == (409, "duplicate_subscriber", "email")
        jane.refresh_from_db()
        assert jane.status == SubscriberStatus.INACTIVE

    def test_hold_for_changes_too(self, jane, api):
        SubscriberSettings.objects.create(duplicate_rules=["email"])
        other = api.post("subscribers", self.OTHER | {"external_id": "x"}).json()["data"]

        by_email = api.patch(f"subscribers/{other['id']}", {"email": JANE["email"], "full_name": "Changed"})
        by_id = api.patch(f"subscribers/{other['id']}", {"external_id": JANE["external_id"]})

        assert refusal(by_email) == (409, "duplicate_subscriber", "email")
        assert refusal(by_id) == (409, "duplicate_subscriber", "external_id")
        row = Subscriber.objects.get(pk=other["id"])
        assert (row.full_name, row.email, row.external_id) == ("John Roe", "", "x")

    def test_do_not_refuse_a_customer_because_of_itself(self, jane, api):
        SubscriberSettings.objects.create(duplicate_rules=["email", "phone", "document"])

        assert api.patch(f"subscribers/{jane.pk}", {"email": "JANE@EXAMPLE.COM"}).status_code == 200


class TestChange:
    @pytest.fixture
    def jane(self, api, acting):
        return api.post("subscribers", JANE).json()["data"]

    def test_some_fields(self, jane, api):
        response = api.patch(
            f"subscribers/{jane['number']}", {"full_name": "José Doe", "address": {"line2": "Apt 3"}}
        )

        data = response.json()["data"]
        assert response.status_code == 200
        assert (data["full_name"], data["address"], data["email"]) == (
            "José Doe", {**jane["address"], "line2": "Apt 3"}, JANE["email"],
        )  # fmt: skip
        words = set(SubscriberWord.objects.values_list("word", flat=True))
        assert {"jose", "apt", "3", "doe", "fiber"} <= words
        assert Event.objects.filter(name="subscribers.subscriber_changed").count() == 1

    def test_nothing_writes_nothing(self, jane, api):
        response = api.patch(f"subscribers/{jane['id']}", {"full_name": "Jane Doe"})

        assert response.json()["data"] == jane
        assert not Event.objects.filter(name="subscribers.subscriber_changed").exists()

    def test_all_fields(self, jane, api):
        response = api.put(f"subscribers/{jane['id']}", {"full_name": "J. Doe", "status": "prospect"})

        data = response.json()["data"]
        assert response.status_code == 200
        assert (data["number"], data["full_name"], data["status"]) == (jane["number"], "J. Doe", "prospect")
        assert (data["email"], data["phone"], data["external_id"], data["tags"]) == ("", "", "", [])
        assert (data["metadata"], data["document"]) == ({}, {"type": "", "number": ""})
        row = Subscriber.objects.get()
        assert (row.email_lower, row.phone_e164, row.document_normal) == ("", "", "")
        assert sorted(SubscriberWord.objects.values_list("word", flat=True)) == [
            "000001", "1", "doe", "j", "sub",
        ]  # fmt: skip

    def test_what_get_answers_may_be_put_back(self, jane, api):
        assert api.put(f"subscribers/{jane['id']}", jane).json()["data"] == jane

    @pytest.mark.parametrize("verb", ["put", "patch"])
    def test_the_status_has_its_own_verbs(self, verb, jane, api):
        response = getattr(api, verb)(
            f"subscribers/{jane['id']}", {"full_name": "Changed", "status": "active"}
        )

        assert refusal(response) == (422, "validation_error", "status")
        row = Subscriber.objects.get()
        assert (row.status, row.full_name) == ("prospect", "Jane Doe")

    def test_an_old_version_is_refused(self, jane, api):
        tag = api.get(f"subscribers/{jane['id']}")["ETag"]
        api.patch(f"subscribers/{jane['id']}", {"full_name": "Second"})

        response = api.patch(f"subscribers/{jane['id']}", {"full_name": "Third"}, If_Match=tag)

        assert response.status_code == 412
        assert Subscriber.objects.get().full_name == "Second"

    def test_a_field_that_is_none_is_a_mistake_of_the_programmer(self, jane, acting):
        with pytest.raises(TypeError, match="status"):
            customers.update_subscriber(subscriber_id=jane["id"], status="active")

    def test_a_phone_keeps_its_form_when_the_providers_country_changes(self, jane, api):
        SubscriberSettings.objects.create(phone_region="PT")

        api.patch(f"subscribers/{jane['id']}", {"city": "Dallas"})

        assert Subscriber.objects.get().phone_e164 == "+15550001234"


class TestConsents:
    BODY = {"full_name": "Jane Doe", "status": "active"}

    def test_are_kept_given_back_and_filtered_by(self, api, acting):
        accepted = {
            "terms_accepted_at": "2026-01-31T10:00:00Z",
            "marketing_consent_at": "2026-02-01T00:00:00Z",
        }
        api.post("subscribers", self.BODY | accepted)
        api.post("subscribers", self.BODY | {"full_name": "John Roe"})

        assert names(api.get("subscribers?marketing_consent=true")) == ["Jane Doe"]
        assert names(api.get("subscribers?marketing_consent=false")) == ["John Roe"]
        assert names(api.get("subscribers?terms_accepted=true")) == ["Jane Doe"]
        assert names(api.get("subscribers?terms_accepted=false&marketing_consent=false")) == ["John Roe"]
        (jane,) = api.get("subscribers?terms_accepted=true").json()["data"]
        assert {name: jane[name] for name in accepted} == accepted

    def test_can_be_withdrawn(self, api, acting):
        made = api.post("subscribers", self.BODY | {"marketing_consent_at": "2026-02-01T00:00:00Z"}).json()[
            "data"
        ]

        shown = api.patch(f"subscribers/{made['id']}", {"marketing_consent_at": None}).json()["data"]

        assert shown["marketing_consent_at"] is None

    @pytest.mark.parametrize("name", ["terms_accepted_at", "marketing_consent_at"])
    def test_are_not_of_the_future(self, name, api, acting):
        now = timezone.now()
        soon, later = ((now + timedelta(seconds=seconds)).isoformat() for seconds in (30, 90))

        assert api.post("subscribers", self.BODY | {name: soon}).status_code == 201
        assert refusal(api.post("subscribers", self.BODY | {name: later})) == (422, "validation_error", name)
        assert Subscriber.objects.count() == 1

    @pytest.mark.parametrize("query", ["marketing_consent=yes", "terms_accepted=1"])
    def test_are_asked_for_by_true_or_false(self, query, api):
        assert api.get(f"subscribers?{query}").status_code == 422
