"""An object's history as people read it: when, who, what changed, from where."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import FieldDoesNotExist
from django.db.models import CharField, F, Model
from django.db.models.functions import MD5

from ispcore.admin.formats import moment
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
    fields = [field for field in obj._meta.local_fields if field.name not in UNIMPORTANT]
    found = []
    for index, version in enumerate(versions[:PAGE_SIZE]):
        older = versions[index + 1] if index + 1 < len(versions) else None
        found.append(_entry(version, older, people, [f for f in fields if f.name not in ignore]))
    return found, len(versions) > PAGE_SIZE


def _versions(table: Any, obj: Model) -> Any:
    # Two ciphertexts read as the same mask, so a secret's change is told by their digests.
    digests = {
        f"digest_of_{field.name}": MD5(F(field.name), output_field=CharField())
        for field in table._meta.local_fields
        if isinstance(field, SealedField)
    }
    return table.objects.filter(pgh_obj_id=obj.pk).annotate(**digests).order_by("-pgh_id")


def _people(versions: list[Any]) -> dict[str, str]:
    ids = {user for version in versions if (user := (version.pgh_context or {}).get("user"))}
    return {str(user.pk): str(user) for user in User.objects.filter(pk__in=ids)}


def _entry(version: Any, older: Any, people: dict[str, str], fields: list[Any]) -> Entry:
    context = version.pgh_context or {}
    return Entry(
        at=version.pgh_created_at,
        what=WHAT.get(version.pgh_label, version.pgh_label),
        who=_who(context, people),
        ip=context.get("ip") or "",
        request_id=context.get("request_id") or "",
        changes=_changes(version, older, fields) if older and version.pgh_label == "changed" else [],
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


def _changes(version: Any, older: Any, fields: list[Any]) -> list[Change]:
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
            changes.append(Change(label, _shown(field, old), _shown(field, new)))
    return changes


def _shown(field: Any, value: Any) -> str:
    if value is None or value == "" or value == []:
        return "empty"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, UUID):
        return f"…{str(value)[-12:]}"
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(dict(field.flatchoices).get(value, value))
