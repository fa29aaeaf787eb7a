"""What a provider keeps of its customers besides what all keep: definitions, values, and their refusals."""

from datetime import date
from typing import Any

import pytest

from subscribers.models import CustomField, CustomFieldKind
from subscribers.services import custom_fields
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
