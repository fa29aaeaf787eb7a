"""From a row's cells to the values of a record: what is wrong is said in words, at the field it is about."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any, NamedTuple
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator

from ispcore.files.tables import RawRow
from subscribers import normal
from subscribers.models import (
    CustomField,
    CustomFieldKind,
    DocumentType,
    Plan,
    Premise,
    ServiceStatus,
    Subscriber,
    SubscriberStatus,
    Subscription,
)
from subscribers.services import customers
from subscribers.services.custom_fields import (
    InvalidCustomFields,
    clean_custom_fields,
)
from subscribers.services.imports import fields
from subscribers.services.imports.references import References

MAX_TAGS = 20
MAX_METADATA = 200
SSID_OCTETS = 32  # IEEE 802.11-2020, 9.4.2.2.
PASSPHRASE = re.compile(r"[ -~]{8,63}\Z")  # IEEE 802.11-2020, J.4.1.
FORMULA = ("=", "+", "-", "@")
NAMES_SHOWN = 10
YES = frozenset({"yes", "y", "true", "1", "x", "sim", "s", "si", "sí", "verdadeiro", "verdadero"})
NO = frozenset({"no", "n", "false", "0", "nao", "não", "falso"})
PREMISE_PARTS = ("line1", "line2", "city", "state", "postal_code", "country")

# What people write -> the code that is stored. The codes and their labels are known anyway.
STATUSES = {
    "ativo": "active", "activo": "active", "lead": "prospect", "potencial": "prospect", "prospecto": "prospect",
}  # fmt: skip
SERVICE_STATUSES = {
    "ativo": "active", "activo": "active", "running": "active", "pending": "pending_installation",
    "pendente": "pending_installation", "pendiente": "pending_installation",
}  # fmt: skip
DOCUMENT_TYPES = {
    "passaporte": "passport", "pasaporte": "passport", "nif": "tax_id", "nipc": "tax_id", "cpf": "tax_id",
    "cif": "tax_id", "vat": "tax_id", "rfc": "tax_id", "ruc": "tax_id", "cnpj": "company", "dni": "national_id",
    "cc": "national_id", "bi": "national_id", "cedula": "national_id", "rg": "national_id", "id": "national_id",
}  # fmt: skip

_check_email = EmailValidator("This is no e-mail address.")


class Problem(NamedTuple):
    field: str
    message: str


@dataclass
class Row:
    """A row as it would be taken in; with problems it will not be."""

    raw: RawRow
    values: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    custom: dict[str, Any] = field(default_factory=dict)
    service: dict[str, Any] | None = None
    premise: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    phone_e164: str = ""
    claims: list[tuple[str, str]] | None = None

    def refuse(self, field_key: str, message: str) -> None:
        self.problems.append(Problem(field_key, message))


class RowReader:
    """Turns raw rows into rows by a mapping."""

    def __init__(self, columns: Sequence[str], mapping: Mapping[str, str], references: References) -> None:
        self._references = references
        self._places = [(place, mapping[name]) for place, name in enumerate(columns) if mapping.get(name)]
        # The same few plans, cities and states stand in thousands of rows.
        self._taken: dict[tuple[str, str], Any] = {}
        self._custom = {fields.CUSTOM + each.key: each for each in references.definitions}

    def read(self, raw: RawRow) -> Row:
        row = Row(raw)
        if raw.problem:
            row.refuse("", raw.problem)
            return row
        given = {key: cell for place, key in self._places if (cell := raw.cells[place].strip())}
        for key, cell in given.items():
            try:
                self._take(row, key, cell)
            except ValueError as error:
                row.refuse(key, str(error))
        self._finish(row)
        return row

    def _take(self, row: Row, key: str, cell: str) -> None:
        if key.startswith(fields.METADATA):
            if len(cell) > MAX_METADATA:
                raise ValueError(f"At most {MAX_METADATA} characters.")
            row.metadata[key[len(fields.METADATA) :]] = cell
        elif key in self._custom:
            definition = self._custom[key]
            row.custom[definition.key] = _custom_value(definition, cell)
        elif key.startswith("premise_"):
            part = key.removeprefix("premise_")
            name = f"address_{part}" if part.startswith("line") else part
            row.premise[name] = _country(cell) if part == "country" else _text(Premise, name, cell)
        elif key in fields.SERVICE_FIELDS:
            row.service = row.service or {}
            row.service[key] = self._clean(key, cell)
        elif key == "phone":
            row.values["phone"], row.phone_e164 = _phone(cell, self._references)
        elif key in CLEANERS:
            name = "billing_profile_id" if key == "billing_profile" else key
            row.values[name] = self._clean(key, cell)
        elif key in fields.FIELDS:
            row.values[key] = _text(Subscriber, key, cell)
        else:
            raise ValueError("There is no such field any more.")

    def _clean(self, key: str, cell: str) -> Any:
        if key not in REPEATED:
            return CLEANERS[key](cell, self._references)
        if (key, cell) not in self._taken:
            self._taken[key, cell] = CLEANERS[key](cell, self._references)
        return self._taken[key, cell]

    def _finish(self, row: Row) -> None:
        if "document_type" in row.values and "document_number" not in row.values:
            row.refuse("document_number", "Give the document's number, or no document.")
        if row.custom:
            try:
                row.custom = clean_custom_fields(
                    row.custom, partial=True, definitions=self._references.definitions
                )
            except InvalidCustomFields as error:
                for key, problem in error.problems.items():
                    row.refuse(fields.CUSTOM + key, problem)
        if row.service is not None and "plan" not in row.service and not row.problems:
            row.refuse("plan", "The row speaks of a service, but names no plan.")
        if row.premise and row.service is None and not row.problems:
            row.refuse("plan", "The row has a premise for a service, but names no plan.")


def _text(model: Any, name: str, cell: str) -> str:
    most = MAX_LENGTHS[model, name]
    if len(cell) > most:
        raise ValueError(f"At most {most} characters.")
    return cell


MAX_LENGTHS: dict[tuple[Any, str], int] = {
    (model, each.name): each.max_length
    for model in (Subscriber, Premise, Subscription)
    for each in model._meta.local_fields
    if each.max_length is not None
}


def _name(cell: str, references: References) -> str:
    if cell.startswith(FORMULA):
        raise ValueError(
            f"A name does not begin with “{cell[0]}”: a spreadsheet would take it for a formula."
        )
    return _text(Subscriber, "full_name", " ".join(cell.split()))


def _email(cell: str, references: References) -> str:
    try:
        _check_email(cell)
    except ValidationError as error:
        raise ValueError(error.messages[0]) from None
    return _text(Subscriber, "email", cell)


def _phone(cell: str, references: References) -> tuple[str, str]:
    phone = _text(Subscriber, "phone", cell)
    e164 = normal.phone_to_e164(phone, region=references.settings.phone_region)
    if not e164:
        raise ValueError(customers.InvalidPhone.message)
    return phone, e164


def _country(cell: str, references: References | None = None) -> str:
    country = cell.upper()
    if not re.fullmatch("[A-Z]{2}", country):
        raise ValueError("Two letters of ISO 3166, for example PT.")
    return country


def _document(cell: str, references: References) -> str:
    plain = normal.document_normal(cell)
    if not plain:
        raise ValueError("A document number has letters or digits.")
    if len(plain) > MAX_LENGTHS[Subscriber, "document_number"]:
        raise ValueError("At most 60 characters.")
    return _text(Subscriber, "document_number", cell)


def _tags(cell: str, references: References) -> list[str]:
    tags = [tag.strip() for tag in cell.split(";") if tag.strip()]
    if len(tags) > MAX_TAGS:
        raise ValueError(f"At most {MAX_TAGS} tags.")
    if any(len(tag) > customers.MAX_TAG for tag in tags):
        raise ValueError(f"A tag has at most {customers.MAX_TAG} characters.")
    return customers.tidy_tags(tags)


def _coded(cell: str, choices: Iterable[tuple[str, str]], words: Mapping[str, str]) -> str:
    wanted = normal.fold(cell)
    for code, label in choices:
        if wanted in (code, code.replace("_", " "), normal.fold(str(label))):
            return code
    return words.get(wanted, "")


def _status(cell: str, references: References) -> str:
    status = _coded(cell, SubscriberStatus.choices, STATUSES)
    if status not in (SubscriberStatus.PROSPECT, SubscriberStatus.ACTIVE):
        raise ValueError("Give prospect or active. Other states are reached in the subscriber's page.")
    return status


def _service_status(cell: str, references: References) -> str:
    status = _coded(cell, ServiceStatus.choices, SERVICE_STATUSES)
    if status == ServiceStatus.SUSPENDED:
        raise ValueError("A suspended service needs the reason of its hold: give active, then suspend it.")
    if status not in (ServiceStatus.PENDING_INSTALLATION, ServiceStatus.ACTIVE):
        raise ValueError("Give active or pending installation.")
    return status


def _document_type(cell: str, references: References) -> str:
    found = _coded(cell, DocumentType.choices, DOCUMENT_TYPES)
    if not found:
        raise ValueError(f"Give one of: {', '.join(DocumentType.values)}.")
    return found


def _billing_profile(cell: str, references: References) -> UUID:
    return _named(cell, references.profiles, "billing profile")


def _zone(cell: str, references: References) -> UUID:
    return _named(cell, references.zones, "zone")


def _named(cell: str, known: Mapping[str, UUID], noun: str) -> UUID:
    found = known.get(normal.fold(cell))
    if found is None:
        raise ValueError(f"There is no {noun} “{cell[:60]}”.")
    return found


def _plan(cell: str, references: References) -> Plan:
    found = references.plans.get(normal.fold(cell), [])
    if len(found) > 1:  # A code wins over another plan's name.
        found = [plan for plan in found if normal.fold(plan.code) == normal.fold(cell)] or found
    if not found:
        raise ValueError(f"There is no plan with the code or name “{cell[:60]}”.")
    if len(found) > 1:
        codes = ", ".join(sorted(plan.code for plan in found)[:NAMES_SHOWN])
        raise ValueError(f"Several plans have this name; give the code, one of: {codes}.")
    return found[0]


def _ssid(cell: str, references: References) -> str:
    if len(cell.encode()) > SSID_OCTETS:
        raise ValueError(f"At most {SSID_OCTETS} octets; letters with accents have two.")
    return cell


def _passphrase(cell: str, references: References) -> str:
    if not PASSPHRASE.match(cell):
        raise ValueError("8 to 63 printable ASCII characters.")
    return cell


def _of_service(name: str) -> Callable[[str, References], str]:
    return lambda cell, references: _text(Subscription, name, cell)


def _day(cell: str, references: References) -> date:
    day = _read_moment(cell, references).astimezone(references.zone_info).date()
    if day > references.today:
        raise ValueError("This day lies in the future.")
    return day


def _moment(cell: str, references: References) -> datetime:
    moment = _read_moment(cell, references)
    if moment > references.now:
        raise ValueError("This moment lies in the future.")
    return moment


_DAY_FIRST = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})(?:[ T](\d{1,2}:\d{2}(?::\d{2})?))?\Z", re.ASCII)


def _read_moment(cell: str, references: References) -> datetime:
    """Read ISO 8601, and 31.01.2026 or 31/01/2026 where only one day can be meant."""
    wrong = "Give a day such as 2026-01-31."
    text = cell
    if found := _DAY_FIRST.match(cell):
        first, mark, second, year, clock = found.groups()
        day, month = (second, first) if int(second) > 12 and mark == "/" else (first, second)
        if mark != "." and int(first) <= 12 and int(second) <= 12 and first != second:
            raise ValueError(f"{cell[:10]} can be one of two days. Write it as 2026-01-31.")
        text = f"{year}-{int(month):02d}-{int(day):02d}" + (f"T{clock:0>5}" if clock else "")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(wrong) from None
    if not 1900 <= moment.year <= 2200:
        raise ValueError(wrong)
    return moment if moment.tzinfo else moment.replace(tzinfo=references.zone_info)


def start_of_day(day: date, references: References) -> datetime:
    """Return when a day began where the provider is."""
    return datetime.combine(day, time(), references.zone_info).astimezone(UTC)


def _custom_value(definition: CustomField, cell: str) -> Any:
    if definition.kind == CustomFieldKind.NUMBER:
        text = cell.replace(" ", "").replace("\xa0", "")
        text = text.replace(",", ".") if text.count(",") == 1 and "." not in text else text
        try:
            return int(text) if re.fullmatch(r"[-+]?\d{1,16}", text, re.ASCII) else float(text)
        except ValueError:
            raise ValueError("Give a number.") from None
    if definition.kind == CustomFieldKind.BOOLEAN:
        word = cell.casefold()
        if word not in YES | NO:
            raise ValueError("Give yes or no.")
        return word in YES
    if definition.kind == CustomFieldKind.CHOICE:
        wanted = normal.fold(cell)
        return next((choice for choice in definition.choices if normal.fold(choice) == wanted), cell)
    return cell


CLEANERS: dict[str, Callable[[str, References], Any]] = {
    "full_name": _name,
    "email": _email,
    "country": _country,
    "document_number": _document,
    "document_type": _document_type,
    "tags": _tags,
    "status": _status,
    "billing_profile": _billing_profile,
    "terms_accepted_at": _moment,
    "marketing_consent_at": _moment,
    "plan": _plan,
    "service_status": _service_status,
    "provisioned_on": _day,
    "zone": _zone,
    "isp_reference": _of_service("isp_reference"),
    "sales_agent": _of_service("sales_agent"),
    "wifi_name": _ssid,
    "wifi_password": _passphrase,
}
REPEATED = frozenset(
    {
        "country",
        "document_type",
        "tags",
        "status",
        "billing_profile",
        "plan",
        "service_status",
        "zone",
        "provisioned_on",
    }
)
