"""What the views of the helpdesk have in common."""

from typing import Any

from django.db.models import Model
from rest_framework.response import Response

from ispcore.api.views import ListModelMixin, RetrieveModelMixin, TenantViewSet, created, valid


class RecordViewSet(RetrieveModelMixin, TenantViewSet):
    """A record is made, changed or removed by one service, and the answer shows it."""

    def show_created(self, record: Model) -> Response:
        """Answer 201 with the record as the list would show it."""
        self.record = self.get_queryset().get(pk=record.pk)
        data = self.get_serializer(self.record).data
        return created(self.request, view_name=f"{self.basename}-detail", pk=record.pk, data=data)

    def show_changed(self, record: Model) -> Response:
        """Answer with the record as it is now."""
        self.record = self.get_queryset().get(pk=record.pk)
        return Response(self.get_serializer(self.record).data)

    def input_of_new(self) -> dict[str, Any]:
        return valid(self.get_serializer(data=self.request.data))

    def input_of_change(self, record: Model) -> dict[str, Any]:
        return valid(self.get_serializer(record, data=self.request.data, partial=True))


class ListedRecordViewSet(ListModelMixin, RecordViewSet):
    """Such records, with a list of them."""
