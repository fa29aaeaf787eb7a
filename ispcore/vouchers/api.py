"""What the views of vouchers have in common, whatever they are good for."""

from collections.abc import Sequence
from typing import Any, ClassVar

from django.db.models import QuerySet
from rest_framework import serializers

from ispcore.api.fields import TextField
from ispcore.api.views import RecordViewSet
from ispcore.vouchers.services import with_counts

PRINT_WAIT_SECONDS = 20


class PrefixField(TextField):
    """What the codes of a batch begin with."""

    def __init__(self) -> None:
        super().__init__(required=False, allow_blank=True, max_length=8, help_text="Letters and digits.")

    def to_internal_value(self, data: Any) -> str:
        prefix = super().to_internal_value(data)
        if prefix and not (prefix.isascii() and prefix.isalnum()):
            raise serializers.ValidationError("Letters and digits only.")
        return prefix


class VoucherBatchMadeSerializer(serializers.Serializer[Any]):
    batch_id = serializers.UUIDField()
    vouchers = serializers.IntegerField()
    file_id = serializers.UUIDField()
    url = serializers.CharField(help_text="Where the print sheet is fetched, for seven days.")


class RevokedSerializer(serializers.Serializer[Any]):
    revoked = serializers.IntegerField(help_text="How many became worthless.")


class BatchViewSet(RecordViewSet):
    """Vouchers that were made together, with how many of them are unused, used and revoked."""

    used_states: ClassVar[Sequence[str]]

    ordering_fields = ("name", "created_at")
    search_fields = ("name",)
    verbs: ClassVar[dict[str, str]] = {"revoke": "change"}

    def get_queryset(self) -> QuerySet[Any]:
        rows = super().get_queryset()
        if getattr(self, "swagger_fake_view", False) or self.action == "destroy":
            return rows  # A row that is locked cannot be grouped.
        return with_counts(rows, used=self.used_states)
