"""All that is stored on one customer, for them to have."""

from typing import ClassVar

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from ispcore.api.request import who
from ispcore.api.views import ApiView, find_by_reference
from ispcore.files.api import ExportResultSerializer
from ispcore.jobs.api import TaskSerializer, accepted
from subscribers.models import Subscriber
from subscribers.services import personal_data

WAIT_SECONDS = 10


class PersonalDataView(ApiView):
    """A customer's data, from every part of the system."""

    app_label = "subscribers"
    verbs: ClassVar[dict[str, str]] = {"post": "reveal"}

    @extend_schema(
        request=None,
        responses={200: ExportResultSerializer, 202: TaskSerializer},
        operation_id="subscribers_data_export",
        parameters=[OpenApiParameter("id", str, "path", description="Id or number of the subscriber.")],
    )
    def post(self, request: Request, pk: str) -> Response:
        """Write all that is stored on a subscriber into a ZIP of JSON files, as a privacy request asks for.

        One file for each table, named in `contents.json`, and the files attached to their tickets. Passwords and
        other secrets are masked. Who asked is recorded; only administrators may fetch the file, for seven days.
        """
        found = find_by_reference(Subscriber.objects.all(), pk, number_field="number")
        job = personal_data.request_personal_data(subscriber_id=found.pk, **who(request))
        return accepted(request, job, default_wait=WAIT_SECONDS)
