"""Files of the bound tenant, fetched from the staff site by those who may view what they are of."""

from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase
from django.template.defaultfilters import filesizeformat
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from ispcore.admin.formats import DASH, figures, moment
from ispcore.files import services
from ispcore.files.models import StoredFile
from ispcore.jobs.models import Job

if TYPE_CHECKING:
    from ispcore.admin.site import StaffSite


def download_view(site: "StaffSite", request: HttpRequest, file_id: UUID) -> HttpResponseBase:
    """Send a file; one that is no longer kept is answered in words, with 410."""
    file = StoredFile.objects.filter(pk=file_id, completed_at__isnull=False).first()
    if file is None:
        raise Http404
    if not may_fetch(request, file):
        raise PermissionDenied
    try:
        services.refuse_expired(file, at=timezone.now())
    except services.FileExpired as refusal:
        context = {**site.each_context(request), "title": file.name, "message": str(refusal)}
        return TemplateResponse(request, "admin/file_gone.html", context, status=410)
    return services.download(file)


def may_fetch(request: HttpRequest, file: StoredFile) -> bool:
    return request.user.has_perm(f"{file.app_label}.view")


def file_of(request: HttpRequest, job: Job) -> dict[str, Any] | None:
    """Return what a job's page says of the file the job made; None when it made none."""
    if not (job.result and "file_id" in job.result):
        return None
    file = StoredFile.objects.filter(pk=job.result["file_id"], completed_at__isnull=False).first()
    is_kept = file is not None and (file.expires_at is None or file.expires_at > timezone.now())
    return {
        "name": job.result.get("name", ""),
        "rows": figures(job.result["rows"]) if "rows" in job.result else "",
        "size": filesizeformat(file.size_bytes) if file else DASH,
        "until": moment(file.expires_at, empty="it is deleted") if file else "",
        "is_kept": is_kept,
        "may_fetch": file is not None and may_fetch(request, file),
        "url": reverse("admin:download_file", args=[file.pk]) if file else "",
    }
