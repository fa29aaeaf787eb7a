"""Hotspot vouchers: a code that is a log-in once."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from aaa.models.accounts import Account
from aaa.models.profiles import Policy, ServiceProfile
from aaa.models.words import VoucherState
from ispcore import audit
from ispcore.files.models import StoredFile
from ispcore.tenants.base import TenantModel
from ispcore.tenants.fields import TenantForeignKey
from ispcore.tenants.models import User
from ispcore.vouchers.codes import MOST_VOUCHERS


@audit.track(ignore=("sheet",))
class VoucherBatch(TenantModel):
    """Vouchers made together, with the same limits."""

    name = models.CharField(max_length=80)
    quantity = models.PositiveIntegerField(
        validators=[MinValueValidator(1), MaxValueValidator(MOST_VOUCHERS)]
    )
    prefix = models.CharField(max_length=8, blank=True, help_text="What each code begins with.")
    policy = TenantForeignKey(Policy, models.PROTECT, null=True, blank=True, related_name="+")
    service_profile = TenantForeignKey(ServiceProfile, models.PROTECT, related_name="+")
    valid_minutes = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(366 * 24 * 60)],
        help_text="From the first log-in; empty: not limited.",
    )
    data_bytes = models.BigIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1)], help_text="Empty: not limited."
    )
    use_before = models.DateTimeField(null=True, blank=True, help_text="The first log-in must come before.")
    created_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", db_index=False)
    sheet = TenantForeignKey(
        StoredFile, models.SET_NULL, null=True, editable=False, related_name="+", help_text="The print sheet."
    )

    class Meta:
        verbose_name_plural = "voucher batches"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "name"], name="voucher_batch_name_unique_per_tenant"),
        ]

    def __str__(self) -> str:
        return self.name


class Voucher(TenantModel):
    """One code. Only its hash is kept: the code itself is on the sheet."""

    batch = TenantForeignKey(VoucherBatch, models.CASCADE, related_name="vouchers")
    code_hash = models.BinaryField(max_length=32, help_text="SHA-256 over tenant id and normalised code.")
    shown = models.CharField(max_length=12, help_text="The first characters, to find it by.")
    state = models.CharField(max_length=8, choices=VoucherState, default=VoucherState.UNUSED)
    account = TenantForeignKey(
        Account, models.SET_NULL, null=True, related_name="vouchers", help_text="Made at the first log-in."
    )
    used_at = models.DateTimeField(null=True, help_text="The first log-in.")
    ends_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "code_hash"], name="voucher_code_unique_per_tenant"),
            models.CheckConstraint(condition=Q(state__in=VoucherState.values), name="voucher_state_known"),
            models.CheckConstraint(
                condition=~Q(state=VoucherState.ACTIVE) | Q(used_at__isnull=False),
                name="voucher_used_when_active",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "batch", "state"], name="voucher_by_batch"),
            models.Index(
                fields=["tenant", "ends_at"], condition=Q(state=VoucherState.ACTIVE), name="voucher_ends"
            ),
            models.Index(
                fields=["tenant", "account"], condition=Q(account__isnull=False), name="voucher_by_account"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.shown}…"
