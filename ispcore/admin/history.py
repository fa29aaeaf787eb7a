"""An object's history as people read it: when, who, what changed, from where."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import FieldDoesNotExist
from django.db.models import CharField, F, Model
from django.db.models.functions import MD5

from ispcore.admin.formats import moment, readable
from ispcore.audit import SealedField
from ispcore.tenants.models import User

PAGE_SIZE = 50
UNIMPORTANT = {"id", "tenant", "created_at", "updated_at"}
WHAT = {"created": "Created", "changed": "Changed", "deleted": "Deleted"}


@dataclass(frozen=True)
class Change:
    label: str
    old: str
    new: str
    secret: bool = False


@dataclass(frozen=True)
class Entry:
    at: datetime
    what: str
    who: str
    ip: str
    request_id: str
    changes: list[Change]
    subject: str = ""

    @property
    def when(self) -> str:
        return moment(self.at)


def history_model(model: type[Model]) -> Any:
    """Return the table that follows `model`, or None where nothing does."""
    try:
        return model._meta.get_field("history").related_model
    except FieldDoesNotExist:
        return None


def entries(obj: Model, *, page: int, ignore: Collection[str] = ()) -> tuple[list[Entry], bool]:
    """Return one page of an object's history, newest first, and whether there is an older one.

    `ignore` names columns that people do not set, such as what a device said of itself.
    """
    table = history_model(type(obj))
    start = (page - 1) * PAGE_SIZE
    versions = list(_versions(table, obj)[start : start + PAGE_SIZE + 1])
    people = _people(versions)
    fields = _fields(type(obj), ignore)
    names = _names(versions, fields)
    found = []
    for index, version in enumerate(versions[:PAGE_SIZE]):
        older = versions[index + 1] if index + 1 < len(versions) else None
        found.append(_entry(version, older, people, fields, names))
    return found, len(versions) > PAGE_SIZE


def timeline(
    subjects: Mapping[type[Model], Mapping[UUID, str]],
    *,
    limit: int = PAGE_SIZE,
    ignore: Collection[str] = (),
) -> list[Entry]:
    """Return the newest entries of several records together; each says whose it is.

    `subjects` gives, by model, the records' keys and what to call each.
    """
    found: list[Entry] = []
    for model, called in subjects.items():
        if not called:
            continue
        # One more of each, so that the oldest entry shown still has a version to compare with.
        versions = list(_versions_of(history_model(model), list(called))[: limit + len(called)])
        people, fields = _people(versions), _fields(model, ignore)
        names = _names(versions, fields)
        by_object: dict[Any, list[Any]] = {}
        for version in versions:
            by_object.setdefault(version.pgh_obj_id, []).append(version)
        for pk, own in by_object.items():
            for version, older in zip(own, [*own[1:], None], strict=True):
                found.append(replace(_entry(version, older, people, fields, names), subject=called[pk]))
    return sorted(found, key=lambda entry: entry.at, reverse=True)[:limit]


def _fields(model: type[Model], ignore: Collection[str]) -> list[Any]:
    return [f for f in model._meta.local_fields if f.name not in UNIMPORTANT and f.name not in ignore]


def _names(versions: Sequence[Any], fields: Sequence[Any]) -> dict[UUID, str]:
    """Name the records that foreign keys pointed at before and after a change."""
    named: dict[UUID, str] = {}
    for field in fields:
        if field.is_relation and versions and hasattr(versions[0], field.attname):
            ids = {pk for version in versions if (pk := getattr(version, field.attname))}
            changed = len({getattr(version, field.attname) for version in versions}) > 1
            if changed and ids:
                rows = field.related_model._default_manager.filter(pk__in=ids)
                named |= {row.pk: str(row) for row in rows}
    return named


def _versions(table: Any, obj: Model) -> Any:
    return _versions_of(table, [obj.pk])


def _versions_of(table: Any, pks: Sequence[Any]) -> Any:
    # Two ciphertexts read as the same mask, so a secret's change is told by their digests.
    digests = {
        f"digest_of_{field.name}": MD5(F(field.name), output_field=CharField())
        for field in table._meta.local_fields
        if isinstance(field, SealedField)
    }
    return table.objects.filter(pgh_obj_id__in=pks).annotate(**digests).order_by("-pgh_id")


def _people(versions: list[Any]) -> dict[str, str]:
    ids = {user for version in versions if (user := (version.pgh_context or {}).get("user"))}
    return {str(user.pk): str(user) for user in User.objects.filter(pk__in=ids)}


def _entry(
    version: Any, older: Any, people: dict[str, str], fields: list[Any], names: dict[UUID, str]
) -> Entry:
    context = version.pgh_context or {}
    return Entry(
        at=version.pgh_created_at,
        what=WHAT.get(version.pgh_label, version.pgh_label),
        who=_who(context, people),
        ip=context.get("ip") or "",
        request_id=context.get("request_id") or "",
        changes=_changes(version, older, fields, names) if older and version.pgh_label == "changed" else [],
    )


def _who(context: dict[str, Any], people: dict[str, str]) -> str:
    by, name = context.get("by") or "", people.get(context.get("user") or "", "")
    if by == "job":
        return f"{name} (by a background job)" if name else "A background job"
    if name:
        return name
    if by.startswith("key:"):
        return "An API key"
    return "The system"


def _changes(version: Any, older: Any, fields: list[Any], names: dict[UUID, str]) -> list[Change]:
    changes = []
    for field in fields:
        if not hasattr(version, field.attname):
            continue
        label = str(field.verbose_name)
        label = label[:1].upper() + label[1:]
        digest = f"digest_of_{field.name}"
        if hasattr(version, digest):
            if getattr(version, digest) != getattr(older, digest):
                changes.append(Change(label, "", "", secret=True))
            continue
        old, new = getattr(older, field.attname), getattr(version, field.attname)
        if old != new:
            changes.append(Change(label, _shown(field, old, names), _shown(field, new, names)))
    return changes


def _shown(field: Any, value: Any, names: dict[UUID, str]) -> str:
    if value is None or value == "" or value == []:
        return "empty"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, UUID):
        return names.get(value) or f"…{str(value)[-12:]}"
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{readable(str(key))}: {item}" for key, item in value.items()) or "empty"
    return str(dict(field.flatchoices).get(value, value))
