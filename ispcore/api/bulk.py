"""Up to 1,000 writes in one request: each is what the single operation does, through the same service."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Model, QuerySet
from rest_framework import serializers
from rest_framework.exceptions import APIException, NotFound, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from ispcore.api.errors import BulkRefused, error_body
from ispcore.api.fields import ChoiceField, StrictSerializer, TextField
from ispcore.api.request import caller_of
from ispcore.api.views import NOT_FOUND, ApiView, criteria_of, valid
from ispcore.errors import DomainError, RetryableError
from ispcore.tenants.roles import allows

MOST = 1_000  # Some seconds of work, in one transaction.
ALL_OR_NOTHING, PER_ROW = "all_or_nothing", "per_row"
MODES = (ALL_OR_NOTHING, PER_ROW)
OPERATIONS = ("create", "update")
CREATED, UPDATED, REFUSED = "created", "updated", "refused"
SEVERAL = "Another item names the same record."
STATUSES = (CREATED, UPDATED, REFUSED)


class BulkWriteItem(StrictSerializer):
    operation = ChoiceField(choices=OPERATIONS)
    id = TextField(max_length=64, required=False, help_text="`update`: the record's id or number.")
    data = serializers.DictField(  # type: ignore[assignment]
        help_text="The body of the single operation."
    )


class BulkWriteInput(StrictSerializer):
    mode = ChoiceField(choices=MODES, default=ALL_OR_NOTHING)
    items = serializers.ListField(child=BulkWriteItem(), min_length=1, max_length=MOST)


class BulkFieldErrorSerializer(serializers.Serializer[Any]):
    field = serializers.CharField()
    code = serializers.CharField()
    message = serializers.CharField()


class BulkErrorSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    message = serializers.CharField()
    fields = BulkFieldErrorSerializer(many=True, help_text="Every wrong field of the item.")  # type: ignore[assignment]


class BulkResultSerializer(serializers.Serializer[Any]):
    index = serializers.IntegerField(help_text="The item's place in the request, from 0.")
    status = serializers.ChoiceField(choices=STATUSES)
    id = serializers.UUIDField(allow_null=True, help_text="The record's; null when refused.")
    error = BulkErrorSerializer(allow_null=True)


@dataclass
class Item:
    """One item: what to do, with which record, if one is named and found, and the body of the single call."""

    index: int
    operation: str
    reference: str | None
    data: dict[str, Any]
    target: Any = None


class BulkView(ApiView):
    """Writes to many records of one model.

    Subclasses map each operation to the verb the single one needs, lock what the items touch in one order
    (`lock`), and do one item (`write`).
    """

    model: ClassVar[type[Model]]
    number_field: ClassVar[str | None] = None
    input_class: ClassVar[type[BulkWriteInput]] = BulkWriteInput
    verbs: ClassVar[dict[str, str]] = {"post": "change"}
    operations: ClassVar[Mapping[str, str]] = {"create": "add", "update": "change"}

    @property
    def app_label(self) -> str:  # type: ignore[override]
        return self.model._meta.app_label

    def lock(self, items: Sequence[Item]) -> None:
        """Lock what several items touch, in the order in which the single operations lock it."""

    def write(self, item: Item) -> tuple[str, UUID]:
        """Do one item, in a savepoint; return its status and the record's id."""
        raise NotImplementedError

    def read(self, item: Item) -> None:
        """Check an item's body and keep what is written. Raises ValidationError."""
        raise NotImplementedError

    @property
    def user_id(self) -> UUID | None:
        return caller_of(self.request._request).user_id

    def run(self, request: Request) -> Response:
        """Do what the body asks. Raises PermissionDenied, ValidationError, BulkRefused."""
        asked = valid(self.input_class(data=request.data))
        role = caller_of(request._request).role
        for operation in {each["operation"] for each in asked["items"]}:
            if not allows(role, self.app_label, self.operations[operation]):
                raise PermissionDenied
        items = [
            Item(index, each["operation"], each.get("id"), each["data"])
            for index, each in enumerate(asked["items"])
        ]
        refused = self._find(items)
        for item in items:
            if item.index not in refused:
                _attempt(refused, item, partial(self.read, item))
        answers: dict[int, tuple[str, UUID]] = {}
        if asked["mode"] == PER_ROW or not refused:
            sound = [item for item in items if item.index not in refused]
            self.lock(sound)
            for item in sound:
                done = _attempt(refused, item, partial(self.write, item))
                if done:
                    answers[item.index] = done
        if asked["mode"] == ALL_OR_NOTHING and refused:
            raise _all_refused(refused, total=len(items))
        return Response([_told(item.index, answers, refused) for item in items])

    def rows(self, keys: Sequence[UUID]) -> QuerySet[Any]:
        """Return these records, locked one after the other by their keys."""
        rows: QuerySet[Any] = self.model.objects.filter(pk__in=keys).order_by("pk")  # type: ignore[attr-defined]
        return rows.select_for_update(of=("self",))

    def _find(self, items: Sequence[Item]) -> dict[int, dict[str, Any]]:
        """Give each item the record it names, all of them with two queries; return why items have none."""
        wanted: dict[str, dict[Any, Item]] = {}
        refused: dict[int, dict[str, Any]] = {}
        for item in items:
            if (item.operation == "update") != (item.reference is not None):
                refused[item.index] = _wrong_id("`update` needs an id, and nothing else takes one.")
                continue
            for name, value in self.criteria(item.reference).items() if item.reference else ():
                if wanted.setdefault(name, {}).setdefault(value, item) is not item:
                    refused[item.index] = _wrong_id(SEVERAL)
        seen: set[UUID] = set()
        for name, by_value in wanted.items():
            for row in self.model.objects.filter(**{f"{name}__in": list(by_value)}):  # type: ignore[attr-defined]
                item = by_value[getattr(row, name)]
                if row.pk in seen:
                    refused[item.index] = _wrong_id(SEVERAL)
                seen.add(row.pk)
                item.target = row
        for item in items:
            if item.reference is not None and item.target is None and item.index not in refused:
                refused[item.index] = {**error_body(NotFound(NOT_FOUND)), "field": "id"}
        return refused

    def criteria(self, reference: str) -> dict[str, Any]:
        """Return the one column to look in, and for what; nothing when no record can be meant."""
        return criteria_of(reference, number_field=self.number_field)


def _wrong_id(text: str) -> dict[str, Any]:
    return error_body(serializers.ValidationError({"id": [text]}))


def _attempt(refused: dict[int, dict[str, Any]], item: Item, work: Any) -> Any:
    """Return what `work` does in a savepoint of its own, or keep why it was refused."""
    try:
        with transaction.atomic():
            return work()
    except RetryableError:
        raise  # The world did not answer: that is of no one item.
    except (DomainError, APIException, IntegrityError) as error:
        if isinstance(error, APIException) and error.status_code >= 500:
            raise
        refused[item.index] = error_body(error)
        return None


def _all_refused(refused: Mapping[int, dict[str, Any]], *, total: int) -> BulkRefused:
    fields = []
    for index, error in sorted(refused.items()):
        for each in _fields_of(error):
            place = f"items.{index}" + (f".{each['field']}" if each["field"] else "")
            fields.append({**each, "field": place})
    return BulkRefused(count=len(refused), total=total, fields=fields)


def _fields_of(error: Mapping[str, Any]) -> list[dict[str, str]]:
    named = error.get("fields") or [
        {"field": error.get("field") or "", "code": error["code"], "message": error["message"]}
    ]
    return [{**each, "field": _place(each["field"])} for each in named]


def _place(field: str) -> str:
    """Name a field by where it stands in the item."""
    return field if field in ("", "id") else f"data.{field}"


def _told(
    index: int, answers: Mapping[int, tuple[str, UUID]], refused: Mapping[int, dict[str, Any]]
) -> dict[str, Any]:
    if index in refused:
        error = refused[index]
        told = {"code": error["code"], "message": error["message"], "fields": _fields_of(error)}
        return {"index": index, "status": REFUSED, "id": None, "error": told}
    status, pk = answers[index]
    return {"index": index, "status": status, "id": str(pk), "error": None}
