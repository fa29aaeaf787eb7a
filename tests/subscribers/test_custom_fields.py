"""What a provider keeps of its customers besides what all keep: definitions, values, and their refusals."""

import threading
from datetime import date
from typing import Any

import pytest
from django.db import connection

from ispcore.tenants.context import tenant_context
from subscribers.models import CustomField, CustomFieldKind, Subscriber
from subscribers.services import custom_fields, customers
from subscribers.services.custom_fields import clean_custom_fields

pytestmark = pytest.mark.django_db

KINDS: dict[str, dict[str, Any]] = {
    "referred_by": {"label": "Referred by"},
    "floor": {"label": "Floor", "kind": CustomFieldKind.NUMBER},
    "moved_in": {"label": "Moved in", "kind": CustomFieldKind.DATE},
    "has_pets": {"label": "Has pets", "kind": CustomFieldKind.BOOLEAN},
    "house": {"label": "House", "kind": CustomFieldKind.CHOICE, "choices": ["Owned", "Rented"]},
}


@pytest.fixture
def fields(acting) -> list[CustomField]:
    return [CustomField.objects.create(key=key, **rest) for key, rest in KINDS.items()]


class TestValues:
    def test_one_of_each_kind_is_kept_as_json_has_it(self, fields):
        cleaned = clean_custom_fields(
            {
                "referred_by": " John ",
                "floor": 3.5,
                "moved_in": "2026-01-31",
                "has_pets": False,
                "house": "Owned",
            },
            partial=False,
        )

        assert cleaned == {
            "referred_by": "John",
            "floor": 3.5,
            "moved_in": "2026-01-31",
            "has_pets": False,
            "house": "Owned",
        }

    def test_a_day_may_be_one_of_pythons(self, fields):
        assert clean_custom_fields({"moved_in": date(2026, 1, 31)}, partial=True) == {
            "moved_in": "2026-01-31"
        }

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("referred_by", 5),
            ("referred_by", "x" * 201),
            ("referred_by", "nul\x00"),
            ("referred_by", "half \ud83d"),
            ("floor", "3"),
            ("floor", True),
            ("floor", float("nan")),
            ("floor", float("inf")),
            ("floor", 10**400),
            ("moved_in", "31/01/2026"),
            ("moved_in", "20260131"),
            ("moved_in", 20260131),
            ("has_pets", "yes"),
            ("has_pets", 1),
            ("house", "Borrowed"),
            ("house", ["Owned"]),
            ("unknown", "x"),
        ],
    )
    def test_a_wrong_value_is_refused_by_its_name(self, fields, key, value):
        with pytest.raises(custom_fields.InvalidCustomFields) as refusal:
            clean_custom_fields({key: value}, partial=True)

        assert (refusal.value.status, refusal.value.code, refusal.value.field) == (
            422,
            "validation_error",
            f"custom_fields.{key}",
        )

    def test_all_that_is_wrong_is_told_at_once(self, fields):
        with pytest.raises(custom_fields.InvalidCustomFields) as refusal:
            clean_custom_fields({"floor": "3", "colour": "red", "house": "Owned"}, partial=True)

        assert list(refusal.value.problems) == ["floor", "colour"]

    def test_a_required_field_is_missed_in_a_whole_record_only(self, fields):
        CustomField.objects.filter(key="floor").update(is_required=True)

        with pytest.raises(custom_fields.InvalidCustomFields) as refusal:
            clean_custom_fields({}, partial=False)
        with pytest.raises(custom_fields.InvalidCustomFields):
            clean_custom_fields({"floor": None}, partial=True)

        assert refusal.value.problems == {"floor": "Floor is required."}
        assert clean_custom_fields({"referred_by": "John"}, partial=True) == {"referred_by": "John"}

    def test_none_and_empty_text_are_no_value(self, fields):
        assert clean_custom_fields({"referred_by": " ", "floor": None}, partial=False) == {}
        assert clean_custom_fields({"referred_by": " ", "floor": None}, partial=True) == {
            "referred_by": None,
            "floor": None,
        }

    def test_definitions_are_read_once_or_not_at_all(self, fields, query_count):
        values = {"referred_by": "John", "floor": 1, "has_pets": True}

        assert query_count(clean_custom_fields, values, partial=True) == 1
        assert query_count(clean_custom_fields, values, partial=True, definitions=fields) == 0


NEW = {"key": "referred_by", "label": "Referred by"}
JANE = {"full_name": "Jane Doe", "status": "active"}


def refusal(response) -> tuple[int, str, str]:
    error = response.json()["error"]
    return response.status_code, error["code"], error.get("field", "")


def definitions() -> list[dict[str, Any]]:
    return list(CustomField.objects.order_by("key").values("key", "kind", "choices"))


class TestDefinitions:
    def test_are_made_shown_changed_and_removed(self, api, acting):
        made = api.post("custom-fields", NEW | {"kind": "choice", "choices": [" Friend ", "Web", "Web"]})
        changed = api.patch("custom-fields/referred_by", {"label": "Came by", "is_required": True})
        shown = api.get(f"custom-fields/{made.json()['data']['id']}").json()["data"]
        removed = api.delete("custom-fields/referred_by")

        assert made.status_code == 201
        assert made["Location"].endswith(f"/api/v1/custom-fields/{shown['id']}")
        assert changed.json()["data"] == shown
        assert {name: shown[name] for name in ("key", "label", "kind", "choices", "is_required", "position")} == {
            "key": "referred_by", "label": "Came by", "kind": "choice", "choices": ["Friend", "Web"],
            "is_required": True, "position": 0,
        }  # fmt: skip
        assert (removed.status_code, CustomField.objects.count()) == (204, 0)

    @pytest.mark.parametrize(
        ("wrong", "status", "code", "field"),
        [
            ({"key": "Referred By"}, 422, "validation_error", "key"),
            ({"kind": "colour"}, 422, "validation_error", "kind"),
            ({"kind": "choice"}, 422, "validation_error", "choices"),
            ({"kind": "choice", "choices": []}, 422, "validation_error", "choices"),
            ({"kind": "choice", "choices": ["x" * 81]}, 422, "validation_error", "choices.0"),
            ({"choices": ["Friend"]}, 422, "validation_error", "choices"),
        ],
    )
    def test_that_make_no_sense_are_refused(self, wrong, status, code, field, api, acting):
        assert refusal(api.post("custom-fields", NEW | wrong)) == (status, code, field)
        assert not CustomField.objects.exists()

    def test_have_one_key_each_which_stays(self, api, acting):
        api.post("custom-fields", NEW)

        assert refusal(api.post("custom-fields", NEW)) == (409, "duplicate_custom_field_key", "key")
        assert refusal(api.patch("custom-fields/referred_by", {"key": "other"})) == (
            422, "validation_error", "key",
        )  # fmt: skip
        assert definitions() == [{"key": "referred_by", "kind": "text", "choices": []}]

    def test_are_fifty_at_most(self, api, acting):
        for number in range(custom_fields.MOST_FIELDS):
            CustomField.objects.create(key=f"f{number}", label="F")

        assert refusal(api.post("custom-fields", NEW))[:2] == (409, "too_many_custom_fields")
        assert CustomField.objects.count() == 50

    def test_keep_their_kind_once_somebody_has_a_value(self, api, acting):
        api.post("custom-fields", NEW)
        assert api.patch("custom-fields/referred_by", {"kind": "number"}).status_code == 200
        api.post("subscribers", JANE | {"custom_fields": {"referred_by": 5}})

        response = api.patch("custom-fields/referred_by", {"kind": "text", "label": "New"})

        assert refusal(response) == (409, "custom_field_kind_fixed", "kind")
        assert definitions()[0]["kind"] == "number"

    def test_take_their_choices_along_when_the_kind_changes(self, api, acting):
        api.post("custom-fields", NEW | {"kind": "choice", "choices": ["Friend"]})

        assert api.patch("custom-fields/referred_by", {"kind": "text"}).status_code == 200
        assert definitions() == [{"key": "referred_by", "kind": "text", "choices": []}]

    def test_removed_take_their_values_along_and_leave_the_history(self, fields, api, query_count):
        def remove(key):
            field = CustomField.objects.get(key=key)
            return query_count(custom_fields.remove_custom_field, custom_field_id=field.pk)

        customers.create_subscriber(full_name="A", custom_fields={"referred_by": "x", "floor": 1})
        one = remove("floor")
        for _ in range(5):
            customers.create_subscriber(full_name="B", custom_fields={"referred_by": "y", "has_pets": True})
        many = remove("has_pets")

        assert one == many
        kept = Subscriber.objects.order_by("number").values_list("custom_fields", flat=True)
        assert list(kept) == [{"referred_by": "x"}] + [{"referred_by": "y"}] * 5
        history = Subscriber.objects.get(full_name="A").history.order_by("pgh_id")
        assert [row.custom_fields for row in history] == [
            {"referred_by": "x", "floor": 1},
            {"referred_by": "x"},
        ]


class TestOfACustomer:
    @pytest.fixture
    def jane(self, fields, api):
        CustomField.objects.filter(key="floor").update(is_required=True)
        given = {"floor": 3, "house": "Owned"}
        return api.post("subscribers", JANE | {"custom_fields": given}).json()["data"]

    def test_patch_changes_the_keys_given_and_null_takes_one_away(self, jane, api):
        response = api.patch(
            f"subscribers/{jane['id']}", {"custom_fields": {"house": None, "has_pets": True}}
        )

        assert response.json()["data"]["custom_fields"] == {"floor": 3, "has_pets": True}

    def test_put_replaces_all(self, jane, api):
        response = api.put(f"subscribers/{jane['id']}", JANE | {"custom_fields": {"floor": 4}})

        assert response.json()["data"]["custom_fields"] == {"floor": 4}

    @pytest.mark.parametrize(
        "body", [JANE, JANE | {"custom_fields": {}}, JANE | {"custom_fields": {"floor": None}}]
    )
    def test_what_is_required_is_missed_in_a_whole_record(self, body, jane, api):
        new, replaced = api.post("subscribers", body), api.put(f"subscribers/{jane['id']}", body)

        wanted = (422, "validation_error", "custom_fields.floor")
        assert (refusal(new), refusal(replaced)) == (wanted, wanted)
        assert Subscriber.objects.get().custom_fields == {"floor": 3, "house": "Owned"}

    def test_all_that_is_wrong_is_named_and_nothing_changes(self, jane, api):
        response = api.patch(
            f"subscribers/{jane['id']}",
            {
                "email": "j@example.com",
                "phone": "x",
                "custom_fields": {"floor": "3", "colour": "red", "house": "Owned"},
            },
        )

        wrong = {each["field"] for each in response.json()["error"]["fields"]}
        assert (response.status_code, wrong) == (
            422,
            {"phone", "custom_fields.floor", "custom_fields.colour"},
        )
        assert Subscriber.objects.get().email == ""

    @pytest.mark.parametrize("value", [[], "text", None, 5])
    def test_other_than_an_object_is_422(self, value, jane, api):
        assert refusal(api.patch(f"subscribers/{jane['id']}", {"custom_fields": value})) == (
            422, "validation_error", "custom_fields",
        )  # fmt: skip

    def test_what_stands_already_may_be_put_back_when_the_list_has_changed(self, jane, api):
        CustomField.objects.filter(key="house").update(choices=["Rented"])

        assert (
            api.put(f"subscribers/{jane['id']}", jane).json()["data"]["custom_fields"]
            == jane["custom_fields"]
        )
        assert (
            api.patch(f"subscribers/{jane['id']}", {"custom_fields": {"house": "Owned"}}).status_code == 200
        )
        new = api.post("subscribers", JANE | {"custom_fields": {"floor": 1, "house": "Owned"}})
        assert refusal(new) == (422, "validation_error", "custom_fields.house")

    def test_a_service_is_refused_as_well(self, jane):
        with pytest.raises(custom_fields.InvalidCustomFields):
            customers.update_subscriber(subscriber_id=jane["id"], custom_fields={"floor": None})

        assert Subscriber.objects.get().custom_fields["floor"] == 3


@pytest.mark.django_db(transaction=True)
def test_a_field_removed_while_a_value_is_written_leaves_none_behind(tenant):
    with tenant_context(tenant.pk):
        field = CustomField.objects.create(key="floor", label="Floor", kind="number")
        jane = customers.create_subscriber(full_name="Jane")
    written, removed = threading.Event(), threading.Event()

    def remove():
        written.wait(20)
        with tenant_context(tenant.pk):
            custom_fields.remove_custom_field(custom_field_id=field.pk)
        removed.set()
        connection.close()

    thread = threading.Thread(target=remove)
    thread.start()
    with tenant_context(tenant.pk):
        customers.update_subscriber(subscriber_id=jane.pk, custom_fields={"floor": 3})
        written.set()
        came_too_early = removed.wait(0.3)
    thread.join()

    with tenant_context(tenant.pk):
        assert (came_too_early, Subscriber.objects.get().custom_fields) == (False, {})
