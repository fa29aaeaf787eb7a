"""Imports of addresses: files of existing assignments, and exports of NetBox."""

from typing import Any, ClassVar

import django_filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from ipam.models import BookFormat, BookImport, BookImportRow, BookStatus
from ipam.services import imports
from ispcore.api.fields import FormSerializer, HouseSerializer, IdField
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
from ispcore.jobs.api import TaskSerializer, accepted
from ispcore.jobs.models import Job
from ispcore.jobs.results import present

WAIT_SECONDS = 10


class BookUploadInput(FormSerializer):
    file = serializers.FileField(
        help_text="A table (CSV or XLSX) or NetBox's JSON; at most 50 MiB and 500,000 rows.",
        allow_empty_file=True,
    )
    vrf_id = IdField(required=False, help_text="The VRF of rows that name none; “default” when left out.")


class BookImportSerializer(HouseSerializer[BookImport]):
    vrf_id = serializers.UUIDField(read_only=True, allow_null=True)
    task_id = serializers.UUIDField(source="job_id", read_only=True, allow_null=True)
    created_by_id = serializers.UUIDField(read_only=True, allow_null=True)

    class Meta:
        model = BookImport
        fields = [
            "id", "name", "file_format", "vrf_id", "status", "rows_total", "rows_created", "rows_updated",
            "rows_skipped", "rows_bad", "message", "task_id", "created_by_id", "created_at", "updated_at",
            "finished_at",
        ]  # fmt: skip
        read_only_fields = fields


class BookRowSerializer(serializers.ModelSerializer[BookImportRow]):
    row = serializers.IntegerField(
        source="row_number", help_text="As a spreadsheet counts; in JSON the object's number, from 1."
    )
    values = serializers.DictField(child=serializers.CharField(allow_blank=True))

    class Meta:
        model = BookImportRow
        fields = ["row", "field", "message", "values"]


class BookImportFilter(HouseFilterSet):
    status = django_filters.ChoiceFilter(choices=BookStatus.choices)
    file_format = django_filters.ChoiceFilter(choices=BookFormat.choices)

    class Meta:
        model = BookImport
        fields = {"created_at": ["gte", "lte"]}


class BookImportViewSet(UploadMixin, ListModelMixin, RetrieveModelMixin, TenantViewSet):
    """Files of addresses that are assigned already: uploaded, checked, taken in. Repeating one does nothing twice."""

    model = BookImport
    serializer_class = BookImportSerializer
    filterset_class = BookImportFilter
    ordering_fields = ("created_at", "updated_at")
    # Whoever may add addresses may do so by the file, and drop it; nothing stored is deleted by that.
    verbs: ClassVar[dict[str, str]] = {"check": "add", "run": "add", "destroy": "add", "errors": "view"}

    @extend_schema(request=BookUploadInput, responses={201: BookImportSerializer})
    def create(self, request: Request) -> Response:
        """Upload a file; what form it has is seen from its beginning. Nothing is taken in yet."""
        data = valid(BookUploadInput(data=request.data))
        file = data.pop("file")
        user_id = caller_of(request._request).user_id
        self.record = imports.upload_book(
            name=file.name or "", content=file.chunks(), user_id=user_id, **data
        )
        self.record.refresh_from_db()
        shown = self.get_serializer(self.record).data
        return created(request, view_name="book-import-detail", pk=self.record.pk, data=shown)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Drop an import and its list of bad rows. What was taken in from it stays."""
        imports.remove_book_import(import_id=self.get_object().pk)
        return Response(status=204)

    @extend_schema(request=None, responses={200: BookImportSerializer, 202: TaskSerializer})
    @action(detail=True, methods=["post"])
    def check(self, request: Request, pk: str) -> Response:
        """Read every row and say what would become of it, taking nothing in.

        Runs in the background; the answer waits up to 10 seconds (`Prefer: wait=N`) and is 202 with the task when
        it takes longer.
        """
        job = imports.request_check(
            import_id=self.get_object().pk, user_id=caller_of(request._request).user_id
        )
        return accepted(request, job, default_wait=WAIT_SECONDS)

    @extend_schema(request=None, responses={200: BookImportSerializer, 202: TaskSerializer})
    @action(detail=True, methods=["post"])
    def run(self, request: Request, pk: str) -> Response:
        """Take the rows of a checked file in, or go on with one that stopped. An address is taken from nobody.

        Rows that cannot be taken in are left out and listed. Runs in the background, as the check does.
        """
        job = imports.request_run(import_id=self.get_object().pk, user_id=caller_of(request._request).user_id)
        return accepted(request, job, default_wait=WAIT_SECONDS)

    @extend_schema(responses=BookRowSerializer(many=True), filters=False)
    @action(detail=True, filter_backends=[], ordering=("row_number",))
    def errors(self, request: Request, pk: str) -> Response:
        """List the rows that were not, or would not be, taken in, with their field and why."""
        rows = BookImportRow.objects.filter(of_import=self.get_object()).order_by("row_number")
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(BookRowSerializer(page, many=True).data)


@present(imports.CHECK)
@present(imports.TAKE_IN)
def book_import_result(job: Job) -> dict[str, Any]:
    """Show the import itself as what its job came to."""
    assert job.result is not None
    found = BookImport.objects.get(pk=job.result["import_id"])
    return dict(BookImportSerializer(found).data)
