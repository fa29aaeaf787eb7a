"""All data of the provider one acts for, as a file: asked for here, made by a job."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse

from ispcore.admin import navigation
from ispcore.admin.fields import PasswordInput
from ispcore.api.request import client_ip, request_id_of
from ispcore.errors import DomainError
from ispcore.files.tenant_export import requesting, sealing

PERMISSION = "tenants.view"


class AllDataForm(forms.Form):
    """Under which passphrase secrets go along, if they shall."""

    passphrase = forms.CharField(
        label="Passphrase for secrets",
        required=False,
        min_length=sealing.SHORTEST,
        max_length=200,
        widget=PasswordInput({"autocomplete": "new-password"}),
        help_text=f"At least {sealing.SHORTEST} characters. It is not kept: without it nobody opens the secrets. "
        "Empty: RADIUS passwords, communities and keys are left out, and have to be entered anew after a restore.",
    )
    again = forms.CharField(
        label="The passphrase again",
        required=False,
        widget=PasswordInput({"autocomplete": "new-password"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if "passphrase" in data and data["passphrase"] != data.get("again", ""):
            self.add_error("again", "This is another passphrase.")
        return data


def all_data_view(site: AdminSite, request: HttpRequest) -> HttpResponse:
    """GET says what the file holds and asks for a passphrase; POST starts the job."""
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    form = AllDataForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            job = requesting.request_tenant_export(
                passphrase=form.cleaned_data["passphrase"],
                user_id=request.user.pk,
                ip=client_ip(request),
                request_id=request_id_of(request),
            )
        except DomainError as refusal:
            messages.error(request, str(refusal))
        else:
            return redirect("admin:jobs_job_change", job.pk)
    context = {**site.each_context(request), "title": "All data", "form": form}
    response = TemplateResponse(request, "admin/all_data.html", context)
    response["Cache-Control"] = "no-store"
    return response


navigation.add("Platform", 65, "All data", url_name="admin:all_data", icon="folder_zip", allowed=PERMISSION)
