"""How full pools and subnets are: counted by what changes, never by counting addresses."""

from typing import Any

from django.db import models
from django.db.models import Q

from ipam.models.pools import Pool
from ipam.models.space import Subnet
from ispcore.tenants.base import TenantManager, TenantModel
from ispcore.tenants.fields import TenantForeignKey, TenantKey, new_id


class UsageLevel(models.TextChoices):
    OK = "ok", "Fine"
    WARNING = "warning", "Nearly full"
    CRITICAL = "critical", "Critical"
    FULL = "full", "Full"


class UsageDelta(models.Model):
    """What one statement changed of a pool's and subnet's counts, written by a trigger on Address.

    Rows of their own, so that two allocations never wait for each other; folded into PoolUsage and SubnetUsage
    every few seconds. Readers add what is not yet folded.
    """

    pk = models.CompositePrimaryKey("tenant_id", "id")
    tenant = TenantKey()
    id = models.UUIDField(default=new_id, editable=False)
    pool_id = models.UUIDField(null=True)
    subnet_id = models.UUIDField(null=True)
    reserved = models.IntegerField(default=0)
    assigned = models.IntegerField(default=0)
    quarantined = models.IntegerField(default=0)

    objects: TenantManager[Any] = TenantManager()

    def __str__(self) -> str:
        return f"{self.assigned:+d}"


class PoolUsage(TenantModel):
    """A pool's counts as last folded, and the level its holders were last told of."""

    pool = TenantForeignKey(Pool, models.CASCADE, related_name="usage")
    total = models.DecimalField(
        max_digits=40, decimal_places=0, default=0, help_text="What its ranges hold and it may hand out."
    )
    reserved = models.BigIntegerField(default=0)
    assigned = models.BigIntegerField(default=0)
    quarantined = models.BigIntegerField(default=0)
    level = models.CharField(max_length=8, choices=UsageLevel, default=UsageLevel.OK)
    level_since = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "pool"], name="pool_usage_one_per_pool"),
            models.CheckConstraint(condition=Q(level__in=UsageLevel.values), name="pool_usage_level_known"),
        ]
        indexes = [models.Index(fields=["tenant", "level"], name="pool_usage_by_level")]

    def __str__(self) -> str:
        return f"usage of {self.pool_id}"


class SubnetUsage(TenantModel):
    """The counts of the addresses of a subnet itself, without those of subnets within, as last folded."""

    subnet = TenantForeignKey(Subnet, models.CASCADE, related_name="usage")
    reserved = models.BigIntegerField(default=0)
    assigned = models.BigIntegerField(default=0)
    quarantined = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "subnet"], name="subnet_usage_one_per_subnet")
        ]

    def __str__(self) -> str:
        return f"usage of {self.subnet_id}"


class UsageSample(TenantModel):
    """How full a pool was at the full hour, for its chart and the day it runs out."""

    pool = TenantForeignKey(Pool, models.CASCADE, related_name="samples")
    at = models.DateTimeField()
    total = models.DecimalField(max_digits=40, decimal_places=0)
    reserved = models.BigIntegerField()
    assigned = models.BigIntegerField()
    quarantined = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "pool", "at"], name="usage_sample_one_per_hour")
        ]

    def __str__(self) -> str:
        return f"{self.pool_id} {self.at:%Y-%m-%d %H:%M}"
