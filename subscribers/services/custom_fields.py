"""What a provider keeps of every customer besides what all providers keep: the definitions, and their values."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from ispcore.errors import DomainError, NotRegistered
from ispcore.tenants.context import current_tenant_id
from ispcore.tenants.statements import all_in_order
from subscribers.models import CustomField, CustomFieldKind, Subscriber

MOST_FIELDS = 50  # Per tenant: the values of one customer stay a few kilobytes.
MOST_CHOICES = 100
MAX_TEXT = 200
MAX_NUMBER = 10**15  # Every whole number up to it is exact in a double, which is what JSON readers use.
CHANGEABLE = frozenset({"label", "kind", "choices", "is_required", "help_text", "position"})


class InvalidCustomFields(DomainError):
    """`problems` holds all of them, by key; the message and `field` are those of the first."""

    code = "validation_error"
    message = "{key}: {problem}"
    status = 422

    def __init__(self, problems: Mapping[str, str]) -> None:
        self.problems = dict(problems)
        key, problem = next(iter(self.problems.items()))
        self.field = f"custom_fields.{key}"
        super().__init__(key=key, problem=problem)


class CustomFieldNotFound(NotRegistered):
    message = "There is no such custom field."


class DuplicateCustomField(DomainError):
    code = "duplicate_custom_field_key"
    message = "There is a custom field with the key {key} already."
    field = "key"


class TooManyCustomFields(DomainError):
    code = "too_many_custom_fields"
    message = "There are {count} custom fields, the most one provider may have. Remove one that is not used."


class CustomFieldKindFixed(DomainError):
    code = "custom_field_kind_fixed"
    message = "{key} has values already; its kind stays {kind}. Add another field for another kind."
    field = "kind"


class CustomFieldChoicesInvalid(DomainError):
    code = "validation_error"
    message = "{problem}"
    status = 422
    field = "choices"


def definitions_in_order() -> list[CustomField]:
    """List the bound tenant's definitions as staff see them; bulk callers read them once and pass them on."""
    return all_in_order(CustomField, "position", "key")


def share_definitions() -> None:
    """Let nobody change the definitions until this transaction ends; others may write values meanwhile.

    Call it before values are checked and written: a field removed in between would leave its value behind.
    """
    _take_lock("pg_advisory_xact_lock_shared")


def clean_custom_fields(
    values: Mapping[str, Any],
    *,
    partial: bool,
    definitions: Sequence[CustomField] | None = None,
    stored: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Check values by their definitions and return them as they are stored: JSON's own types.

    A text has at most 200 characters and is trimmed; a number is an int or a float; a date is a `date` or
    ISO 8601 text and is stored as text; a boolean is one; a choice is one of the list. None and empty text
    say that there is no value. With `partial` only the fields given are looked at, and None stays in the
    answer, for the caller to take the key away; without it required fields must all be there, and what has no
    value is left out. What is `stored` already is not looked at again: its list may have changed since. Reads the
    definitions once when they are not given.

    Raises InvalidCustomFields, naming every unknown key, missing required field and wrong value.
    """
    stored = stored or {}
    known = {each.key: each for each in (definitions_in_order() if definitions is None else definitions)}
    problems: dict[str, str] = {}
    cleaned: dict[str, Any] = {}
    for key, value in values.items():
        if key not in known:
            keys = ", ".join(known) or "none"
            problems[str(key)[:40]] = f"There is no such custom field. There are: {keys}."
            continue
        if key in stored and type(stored[key]) is type(value) and stored[key] == value:
            cleaned[key] = value
            continue
        try:
            cleaned[key] = _clean(known[key], value)
        except ValueError as error:
            problems[key] = str(error)
    for key, definition in known.items():
        is_looked_at = key in values or not partial
        if definition.is_required and is_looked_at and key not in problems and cleaned.get(key) is None:
            problems[key] = f"{definition.label} is required."
    if problems:
        raise InvalidCustomFields(problems)
    if partial:
        return cleaned
    return {key: value for key, value in cleaned.items() if value is not None}


def _clean(definition: CustomField, value: Any) -> Any:
    """Return the value as stored, None for none. Raises ValueError with what is wrong."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    return CLEANERS[definition.kind](value, definition)


def _text(value: Any, definition: CustomField) -> str:
    if not isinstance(value, str):
        raise ValueError("Give text.")
    text = value.strip()
    if len(text) > MAX_TEXT:
        raise ValueError(f"At most {MAX_TEXT} characters.")
    if "\x00" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise ValueError("This text holds a character that cannot be stored.")
    return text


def _number(value: Any, definition: CustomField) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("Give a number.")
    if not -MAX_NUMBER <= value <= MAX_NUMBER:  # Neither is a number that is none, nor an endless one.
        raise ValueError("Give a number between -10^15 and 10^15.")
    return value


def _date(value: Any, definition: CustomField) -> str:
    if isinstance(value, date):
        return value.isoformat()[:10]
    wrong = "Give a day such as 2026-01-31."
    if not isinstance(value, str):
        raise ValueError(wrong)
    text = value.strip()
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise ValueError(wrong) from None
    if day.isoformat() != text:  # Python also reads 20260131 and 2026-W05-6.
        raise ValueError(wrong)
    return text


def _boolean(value: Any, definition: CustomField) -> bool:
    if not isinstance(value, bool):
        raise ValueError("Give true or false.")
    return value


def _choice(value: Any, definition: CustomField) -> str:
    if not isinstance(value, str) or value.strip() not in definition.choices:
        raise ValueError(f"Give one of: {', '.join(definition.choices)}.")
    return value.strip()


CLEANERS: dict[str, Callable[[Any, CustomField], Any]] = {
    CustomFieldKind.TEXT: _text,
    CustomFieldKind.NUMBER: _number,
    CustomFieldKind.DATE: _date,
    CustomFieldKind.BOOLEAN: _boolean,
    CustomFieldKind.CHOICE: _choice,
}


@transaction.atomic
def create_custom_field(
    *,
    key: str,
    label: str,
    kind: str = CustomFieldKind.TEXT,
    choices: Sequence[str] = (),
    is_required: bool = False,
    help_text: str = "",
    position: int = 0,
) -> CustomField:
    """Add a field to every customer's record. Records that are there need its value when they are replaced only.

    Raises DuplicateCustomField, TooManyCustomFields, CustomFieldChoicesInvalid.
    """
    _take_lock("pg_advisory_xact_lock")
    count = CustomField.objects.count()
    if count >= MOST_FIELDS:
        raise TooManyCustomFields(count=count)
    if CustomField.objects.filter(key=key).exists():
        raise DuplicateCustomField(key=key)
    made: CustomField = CustomField.objects.create(
        key=key, label=label, kind=kind, choices=_tidy_choices(kind, choices), is_required=is_required,
        help_text=help_text, position=position,
    )  # fmt: skip
    return made


@transaction.atomic
def change_custom_field(*, custom_field_id: UUID, **changes: Any) -> CustomField:
    """Change a field's label, kind, choices, help text, position, or whether it is required. Its key stays.

    The kind stays too while a customer has a value. A choice taken from the list stays where it was given.
    Raises CustomFieldNotFound, CustomFieldKindFixed, CustomFieldChoicesInvalid, and TypeError for what is none of
    these.
    """
    if unknown := sorted(set(changes) - CHANGEABLE):
        raise TypeError(f"not to be changed of a custom field: {unknown}")
    _take_lock("pg_advisory_xact_lock")
    field = _find(custom_field_id)
    kind = changes.get("kind", field.kind)
    if kind != field.kind and Subscriber.objects.filter(custom_fields__has_key=field.key).exists():
        raise CustomFieldKindFixed(key=field.key, kind=field.get_kind_display().lower())
    if {"kind", "choices"} & set(changes):
        kept = field.choices if kind == field.kind else ()
        changes["choices"] = _tidy_choices(kind, changes.get("choices", kept))
    for name, value in changes.items():
        setattr(field, name, value)
    field.save()
    return field


@transaction.atomic
def remove_custom_field(*, custom_field_id: UUID) -> int:
    """Delete a field, and its value from every customer, in one statement; return how many had one.

    The customers' history keeps what was. Raises CustomFieldNotFound.
    """
    _take_lock("pg_advisory_xact_lock")
    field = _find(custom_field_id)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE subscribers_subscriber SET custom_fields = custom_fields - %(key)s, updated_at = now()
            WHERE tenant_id = %(tenant)s AND jsonb_exists(custom_fields, %(key)s)
            """,
            {"key": field.key, "tenant": current_tenant_id()},
        )
        had_one: int = cursor.rowcount
    field.delete()
    return had_one


def _take_lock(function: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {function}(hashtextextended(%s, 0))", [f"custom fields:{current_tenant_id()}"]
        )


def _find(custom_field_id: UUID) -> CustomField:
    found: CustomField | None = CustomField.objects.filter(pk=custom_field_id).first()
    if found is None:
        raise CustomFieldNotFound
    return found


def _tidy_choices(kind: str, choices: Sequence[str]) -> list[str]:
    """Return the choices trimmed, each once and in order. Raises CustomFieldChoicesInvalid."""
    tidy = list(dict.fromkeys(choice.strip() for choice in choices if choice.strip()))
    if kind == CustomFieldKind.CHOICE and not tidy:
        raise CustomFieldChoicesInvalid(problem="Give the choices of the list.")
    if kind != CustomFieldKind.CHOICE and tidy:
        raise CustomFieldChoicesInvalid(problem="Only a list has choices; leave this empty.")
    if len(tidy) > MOST_CHOICES:
        raise CustomFieldChoicesInvalid(problem=f"A list has at most {MOST_CHOICES} choices.")
    return tidy
