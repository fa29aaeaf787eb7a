"""Imports: files of subscribers and their services."""

import json
from typing import Any, ClassVar
from uuid import UUID

from django.http import HttpResponseBase, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from ispcore.api.fields import (
    ChoiceField,
    FormBooleanField,
    FormSerializer,
    HouseSerializer,
    StrictSerializer,
    TextField,
)
from ispcore.api.filters import HouseFilterSet
from ispcore.api.request import caller_of
from ispcore.api.views import (
    ListModelMixin,
    RetrieveModelMixin,
    TenantViewSet,
    UploadMixin,
    created,
    valid,
)
from ispcore.files import tabular
from ispcore.files.services import attachment
from ispcore.jobs.api import TaskSerializer, accepted
from ispcore.jobs.models import Job
from ispcore.jobs.results import present
from subscribers.models import Import, ImportRowError, OnDuplicate
from subscribers.services import imports

CHECK_WAIT_SECONDS = 10
MAX_MAPPING = 20_000
MAX_FIELD = 60

MAPPING = {
    "type": "object",
    "additionalProperties": {"type": "string", "maxLength": MAX_FIELD},
    "description": "Column of the file -> field. Fields: "
    + ", ".join(f"`{key}`" for key in imports.FIELDS)
    + ", `metadata.<name>` and `custom.<key>`. A column that is left out, or has empty text, is not taken in.",
}


@extend_schema_field(MAPPING)
class MappingField(serializers.JSONField):
    """Columns and their fields; which fields there are, the service knows."""

    default_error_messages = {"not_a_mapping": "Give an object: column of the file -> field."}

    def to_internal_value(self, data: Any) -> dict[str, str]:
        if not isinstance(data, dict):
            self.fail("not_a_mapping")
        for name, field in data.items():
            if not isinstance(field, str) or "\x00" in name + field:
                self.fail("not_a_mapping")
        return data


@extend_schema_field(
    {
        "type": "string",
        "minLength": 1,
        "maxLength": MAX_MAPPING,
        "description": "JSON: column of the file -> field.",
    }
)
class MappingTextField(TextField):
    """The same, as the text a form can carry."""

    default_error_messages = {"not_json": "Give JSON: an object of columns and fields."}

    def to_internal_value(self, data: Any) -> Any:
        text = super().to_internal_value(data)
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            self.fail("not_json")
        return MappingField().run_validation(found)


class EncodingField(ChoiceField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            choices=list(imports.ENCODINGS),
            required=False,
            help_text="CSV only; found out when left out.",
            **kwargs,
        )


class UploadInput(FormSerializer):
    file = serializers.FileField(
        help_text="CSV or XLSX, at most 50 MiB and 500,000 rows.", allow_empty_file=True
    )
    mapping = MappingTextField(required=False, max_length=MAX_MAPPING)
    on_duplicate = ChoiceField(choices=OnDuplicate.choices, required=False)
    encoding = EncodingField()
    again = FormBooleanField(required=False, help_text="True: take a file in that was imported before.")


class ImportChangeInput(StrictSerializer):
    mapping = MappingField(required=False)
    on_duplicate = ChoiceField(choices=OnDuplicate.choices, required=False)
    encoding = EncodingField()


class PreviewSerializer(serializers.Serializer[Any]):
    row = serializers.IntegerField(help_text="As a spreadsheet counts: the header is row 1.")
    outcome = serializers.ChoiceField(choices=["created", "updated", "skipped", "bad"])
    values = serializers.DictField(child=serializers.CharField(allow_blank=True), help_text="Field -> text.")
    error = serializers.CharField(allow_blank=True)


class ImportSerializer(HouseSerializer[Import]):
    columns = serializers.ListField(child=serializers.CharField(), read_only=True)
    mapping = MappingField(read_only=True)
    task_id = serializers.UUIDField(source="job_id", read_only=True, allow_null=True)
    created_by_id = serializers.UUIDField(read_only=True, allow_null=True)

    class Meta:
        model = Import
        fields = [
            "id", "name", "status", "file_format", "encoding", "delimiter", "columns", "mapping", "on_duplicate",
            "sha256", "size_bytes", "rows_total", "rows_done", "rows_created", "rows_updated", "rows_skipped",
            "rows_bad", "message", "task_id", "created_by_id", "created_at", "updated_at", "began_at", "finished_at",
        ]  # fmt: skip
        read_only_fields = fields


class ImportDetailSerializer(ImportSerializer):
    preview = PreviewSerializer(many=True, read_only=True)

    class Meta(ImportSerializer.Meta):
        fields = [*ImportSerializer.Meta.fields, "preview"]
        read_only_fields = fields


class RowErrorSerializer(serializers.ModelSerializer[ImportRowError]):
    row = serializers.IntegerField(
        source="row_number", help_text="As a spreadsheet counts: the header is row 1."
    )
    cells = serializers.ListField(child=serializers.CharField(allow_blank=True), source="values")

    class Meta:
        model = ImportRowError
        fields = ["row", "field", "message", "cells"]


class ImportFilter(HouseFilterSet):
    class Meta:
        model = Import
        fields = {"status": ["exact"], "sha256": ["exact"], "created_at": ["gte", "lte"]}


class ImportViewSet(UploadMixin, ListModelMixin, RetrieveModelMixin, TenantViewSet):
    """Files of subscribers and services: uploaded, mapped, checked, taken in."""

    model = Import
    serializer_class = ImportDetailSerializer
    filterset_class = ImportFilter
    ordering_fields = ("created_at", "updated_at")
    # Whoever may register subscribers may do so by the file, and drop it; nothing stored is deleted by that.
    verbs: ClassVar[dict[str, str]] = {
        "check": "add",
        "run": "add",
        "partial_update": "add",
        "destroy": "add",
        "errors": "view",
        "error_file": "view",
    }

    def get_serializer_class(self) -> type[ImportSerializer]:
        return ImportSerializer if self.action == "list" else ImportDetailSerializer

    @extend_schema(request=UploadInput, responses={201: ImportDetailSerializer})
    def create(self, request: Request) -> Response:
        """Upload a file; its columns' fields are guessed from their names. Nothing is taken in yet.

        The same content that was imported before is refused (409 `file_already_imported`) unless `again`.
        """
        data = valid(UploadInput(data=request.data))
        file = data.pop("file")
        self.record = imports.upload_import(
            name=file.name or "", content=file.chunks(), user_id=_user_id(request), **data
        )
        self.record.refresh_from_db()
        shown = self.get_serializer(self.record).data
        return created(request, view_name="import-detail", pk=self.record.pk, data=shown)

    @extend_schema(request=ImportChangeInput, responses=ImportDetailSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change the columns' fields, the encoding, or what becomes of records that are there already.

        A change forgets the check; a `mapping` replaces the whole of the old one.
        """
        found = self.get_object()
        data = valid(ImportChangeInput(data=request.data))
        self.record = imports.change_import(import_id=found.pk, **data)
        self.record.refresh_from_db()
        return Response(self.get_serializer(self.record).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Drop a file. What was taken in from it stays, and so does the list of its errors."""
        imports.discard_import(import_id=self.get_object().pk)
        return Response(status=204)

    @extend_schema(request=None, responses={200: ImportDetailSerializer, 202: TaskSerializer})
    @action(detail=True, methods=["post"])
    def check(self, request: Request, pk: str) -> Response:
        """Read every row and say what would become of it, taking nothing in.

        Runs in the background; the answer waits up to 10 seconds (`Prefer: wait=N`) and is 202 with the task when
        it takes longer.
        """
        job = imports.request_check(import_id=self.get_object().pk, user_id=_user_id(request))
        return accepted(request, job, default_wait=CHECK_WAIT_SECONDS)

    @extend_schema(request=None, responses={200: ImportDetailSerializer, 202: TaskSerializer})
    @action(detail=True, methods=["post"])
    def run(self, request: Request, pk: str) -> Response:
        """Take the rows of a checked file in, or go on with one that stopped.

        Rows that cannot be taken in are left out and kept as errors. Runs in the background, as the check does.
        """
        job = imports.request_run(import_id=self.get_object().pk, user_id=_user_id(request))
        return accepted(request, job, default_wait=CHECK_WAIT_SECONDS)

    @extend_schema(responses=RowErrorSerializer(many=True), filters=False)
    @action(detail=True, filter_backends=[], ordering=("row_number",))
    def errors(self, request: Request, pk: str) -> Response:
        """List the rows that were not, or would not be, taken in, with their cells and why."""
        rows = ImportRowError.objects.filter(of_import=self.get_object()).order_by("row_number")
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(RowErrorSerializer(page, many=True).data)

    @extend_schema(
        responses={
            (200, tabular.CSV_TYPE.partition(";")[0]): OpenApiTypes.BINARY,
            (200, tabular.XLSX_TYPE): OpenApiTypes.BINARY,
        }
    )
    @action(detail=True, url_path="errors/file")
    def error_file(self, request: Request, pk: str) -> HttpResponseBase:
        """Fetch the bad rows in the file's own format, with their row and error; corrected, it can be uploaded."""
        return error_download(self.get_object())

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Let a caller of the file accept what it is; errors stay JSON."""
        return super().perform_content_negotiation(request, force=force or self.action == "error_file")


def error_download(of_import: Import) -> StreamingHttpResponse:
    """Answer with the bad rows as an attachment, read while it is sent."""
    return attachment(
        imports.error_file(of_import),
        imports.error_file_name(of_import),
        tabular.MEDIA_TYPES[of_import.file_format],
    )


@present("subscribers.check_import")
@present("subscribers.run_import")
def import_result(job: Job) -> dict[str, Any]:
    """Show the import itself as what its job came to."""
    assert job.result is not None
    found = Import.objects.get(pk=job.result["import_id"])
    return dict(ImportDetailSerializer(found).data)


def _user_id(request: Request) -> UUID | None:
    return caller_of(request._request).user_id
