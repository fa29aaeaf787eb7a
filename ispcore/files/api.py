"""Exports of lists, and the files they and other runs leave."""

from typing import Any, ClassVar

from django.db.models import Q, QuerySet
from django.http import HttpResponseBase
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from ispcore.api.fields import BooleanField, ChoiceField, HouseSerializer, StrictSerializer, TextField
from ispcore.api.filters import HouseFilterSet
from ispcore.api.request import caller_of, who
from ispcore.api.views import (
    ApiView,
    ListModelMixin,
    RetrieveModelMixin,
    RolePermission,
    TenantViewSet,
    valid,
)
from ispcore.files import exports, services, tabular
from ispcore.files.models import StoredFile
from ispcore.files.tenant_export import requesting, sealing
from ispcore.jobs.api import TaskSerializer, accepted
from ispcore.tenants.roles import EVERY_APP, allows

EXPORT_WAIT_SECONDS = 10
MAX_VALUE = 200  # Of a filter or a search: as of the longest column they look at.
LISTS = [(export.name, export.label) for export in exports.registered()]
FORMATS = tuple(exports.MEDIA_TYPES)
# What files are: lists, archives and print sheets of our own making, and what was brought here.
KINDS = (
    tabular.CSV_TYPE.partition(";")[0], tabular.XLSX_TYPE, exports.MEDIA_TYPES[exports.JSON_LINES], "application/zip",
    "application/pdf", "application/octet-stream", "application/jsonl", "image/gif", "image/jpeg", "image/png",
    "image/webp", "text/plain",
)  # fmt: skip


class ExportInput(StrictSerializer):
    list = ChoiceField(choices=LISTS, help_text="The list's name in this API.")
    format = ChoiceField(choices=FORMATS)
    filters = serializers.DictField(
        child=TextField(max_length=MAX_VALUE),
        required=False,
        help_text="Names and values as in the list's query.",
    )
    search = TextField(max_length=MAX_VALUE, required=False, help_text="As in the list's query.")
    bom = BooleanField(
        default=True, help_text="CSV only: begin with a byte order mark, by which spreadsheets know UTF-8."
    )


class ExportResultSerializer(serializers.Serializer[Any]):
    rows = serializers.IntegerField()
    file_id = serializers.UUIDField()
    name = serializers.CharField()
    url = serializers.CharField(help_text="Where it is fetched, with a credential.")
    expires_at = serializers.DateTimeField(help_text="It is deleted after this.")


class ExportView(ApiView):
    """Lists as files."""

    app_label = "files"
    verbs: ClassVar[dict[str, str]] = {"post": "view"}  # And `view` of the list's own app.

    @extend_schema(
        request=ExportInput,
        responses={200: ExportResultSerializer, 202: TaskSerializer},
        operation_id="exports_create",
    )
    def post(self, request: Request) -> Response:
        """Write a list into a file, NDJSON, CSV or XLSX, narrowed by the list's own filters and search.

        NDJSON holds on each line a record as the list shows it; CSV and XLSX hold columns for people.

        Whoever may view the list may export it; who did is recorded. Runs in the background; the answer waits up
        to 10 seconds (`Prefer: wait=N`) and is 202 with the task when it takes longer. The file is kept for
        seven days.
        """
        data = valid(ExportInput(data=request.data))
        export = exports.find(data["list"])
        caller = caller_of(request._request)
        if not allows(caller.role, export.app_label, "view"):
            raise PermissionDenied
        asked = {"filters": data.get("filters", {}), "search": data.get("search", "")}
        exports.rows_of_list(export, **asked)
        job = exports.request_export(
            export=export,
            file_format=data["format"],
            bom=data["bom"],
            rows_from="list",
            asked=asked,
            role=caller.role,
            **who(request),
        )
        return accepted(request, job, default_wait=EXPORT_WAIT_SECONDS)


class TenantExportInput(StrictSerializer):
    passphrase = TextField(
        max_length=MAX_VALUE,
        min_length=sealing.SHORTEST,
        required=False,
        help_text="Seals passwords, communities and keys; without one they are left out of the file.",
    )


class TenantExportView(ApiView):
    """All data of the provider one acts for."""

    app_label = "tenants"
    verbs: ClassVar[dict[str, str]] = {"post": "view"}
    may_be_a_task = True

    @extend_schema(
        request=TenantExportInput,
        responses={200: ExportResultSerializer, 202: TaskSerializer},
        operation_id="tenant_export_create",
    )
    def post(self, request: Request) -> Response:
        """Write all data of this provider into a ZIP, as of one moment, to keep or to restore elsewhere.

        A file of JSON lines for each table, and `manifest.json` with rows, checksums, and totals of money. Secrets
        are sealed with the passphrase, which is not kept, or left out. Staff are in it without their passwords.
        Who asked is recorded; only administrators may fetch the file, for seven days. Asked again while it is
        written, the answer is the same task.
        """
        data = valid(TenantExportInput(data=request.data))
        job = requesting.request_tenant_export(passphrase=data.get("passphrase", ""), **who(request))
        return accepted(request, job, default_wait=EXPORT_WAIT_SECONDS)


class FileSerializer(HouseSerializer[StoredFile]):
    class Meta:
        model = StoredFile
        fields = [
            "id", "name", "media_type", "app_label", "size_bytes", "sha256", "created_at", "completed_at", "expires_at",
        ]  # fmt: skip
        read_only_fields = fields


class FileFilter(HouseFilterSet):
    class Meta:
        model = StoredFile
        fields = {"name": ["exact"], "app_label": ["exact"], "created_at": ["gte", "lte"]}


class FilePermission(RolePermission):
    """A file is for those who may view the app its content is of."""

    def has_object_permission(self, request: Request, view: Any, file: StoredFile) -> bool:
        return allows(caller_of(request._request).role, file.app_label, "view")


class FileViewSet(ListModelMixin, RetrieveModelMixin, TenantViewSet):
    """The files of this provider that are whole: exports, and what was imported."""

    model = StoredFile
    serializer_class = FileSerializer
    filterset_class = FileFilter
    permission_classes = (FilePermission,)
    ordering_fields = ("created_at", "name", "size_bytes")
    search_fields = ("name",)

    def get_queryset(self) -> QuerySet[Any]:
        rows = super().get_queryset().filter(completed_at__isnull=False)
        if self.action != "list" or getattr(self, "swagger_fake_view", False):
            return rows
        role = caller_of(self.request._request).role
        apps = [app for app in EVERY_APP if allows(role, app, "view")]
        kept = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
        return rows.filter(kept, app_label__in=apps)

    def get_object(self) -> Any:
        """Raises FileExpired for one that is no longer kept."""
        file = super().get_object()
        services.refuse_expired(file, at=timezone.now())
        return file

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Let a caller of `content` accept what the file is; errors stay JSON."""
        return super().perform_content_negotiation(request, force=force or self.action == "content")

    @extend_schema(responses={(200, media_type): OpenApiTypes.BINARY for media_type in KINDS})
    @action(detail=True)
    def content(self, request: Request, pk: str) -> HttpResponseBase:
        """Fetch the file itself, as an attachment."""
        return services.download(self.get_object())
