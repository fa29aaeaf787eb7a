"""Pools: what addresses and prefixes are handed out of."""

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q

from ipam.models.fields import CidrField, InetField
from ipam.models.space import MOST_DNS_SERVERS, Subnet, Vrf
from ispcore import audit
from ispcore.tenants.base import TenantModel
from ispcore.tenants.fields import TenantForeignKey

DAY_SECONDS = 24 * 3600
LONGEST_HOLD_SECONDS = 366 * DAY_SECONDS


class PoolKind(models.TextChoices):
    ADDRESS = "address", "Single addresses"
    PREFIX = "prefix", "Delegated prefixes"


class Family(models.IntegerChoices):
    IPV4 = 4, "IPv4"
    IPV6 = 6, "IPv6"


class Purpose(models.TextChoices):
    DYNAMIC = "dynamic", "Dynamic"
    STATIC = "static", "Static"
    CGNAT = "cgnat", "CGNAT, inside"
    MANAGEMENT = "management", "Management"


@audit.track()
class Pool(TenantModel):
    """Ranges of one VRF from which lines and devices get addresses, or prefixes of one length."""

    vrf = TenantForeignKey(Vrf, models.PROTECT, related_name="pools", verbose_name="VRF")
    name = models.CharField(max_length=80, help_text="Plans name it as their pool.")
    kind = models.CharField(max_length=8, choices=PoolKind, default=PoolKind.ADDRESS)
    family = models.PositiveSmallIntegerField(choices=Family, default=Family.IPV4)
    prefix_length = models.PositiveSmallIntegerField(
        help_text="Of each delegated prefix, such as 56; 32 or 128 where single addresses are handed out."
    )
    purpose = models.CharField(max_length=10, choices=Purpose, default=Purpose.DYNAMIC)
    hold_seconds = models.PositiveIntegerField(
        "rest after release, seconds",
        default=DAY_SECONDS,
        validators=[MaxValueValidator(LONGEST_HOLD_SECONDS)],
        help_text="A released address rests so long before it has a new holder; 0: not at all.",
    )
    warn_percent = models.PositiveSmallIntegerField(
        "warn at, percent", default=80, validators=[MinValueValidator(1), MaxValueValidator(100)]
    )
    critical_percent = models.PositiveSmallIntegerField(
        "critical at, percent", default=95, validators=[MinValueValidator(1), MaxValueValidator(100)]
    )
    dns_servers = ArrayField(
        InetField(),
        default=list,
        blank=True,
        size=MOST_DNS_SERVERS,
        verbose_name="DNS servers",
        help_text=f"At most {MOST_DNS_SERVERS}; empty: those of the subnet.",
    )
    is_active = models.BooleanField(
        "hands out addresses",
        default=True,
        help_text="Switched off it hands out nothing; what is assigned stays.",
    )
    notes = models.TextField(blank=True, max_length=2000)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "name"], name="pool_name_unique_per_tenant"),
            # What the foreign key of its ranges points at: they are of its VRF, family and length.
            models.UniqueConstraint(
                fields=["tenant", "id", "vrf", "family", "prefix_length"], name="pool_shape"
            ),
            models.CheckConstraint(condition=Q(kind__in=PoolKind.values), name="pool_kind_known"),
            models.CheckConstraint(condition=Q(purpose__in=Purpose.values), name="pool_purpose_known"),
            models.CheckConstraint(
                condition=Q(kind=PoolKind.ADDRESS, family=4, prefix_length=32)
                | Q(kind=PoolKind.ADDRESS, family=6, prefix_length=128)
                | Q(kind=PoolKind.PREFIX, family=4, prefix_length__range=(8, 31))
                | Q(kind=PoolKind.PREFIX, family=6, prefix_length__range=(16, 127)),
                name="pool_length_fits_its_kind",
            ),
            models.CheckConstraint(
                condition=Q(warn_percent__gte=1)
                & Q(warn_percent__lte=F("critical_percent"))
                & Q(critical_percent__lte=100),
                name="pool_thresholds_in_order",
            ),
        ]
        indexes = [models.Index(fields=["tenant", "vrf"], name="pool_by_vrf")]

    def __str__(self) -> str:
        return self.name


@audit.track(ignore=("next_address", "subnet_network"))
class PoolRange(TenantModel):
    """Addresses of a subnet, first and last included, that a pool hands out.

    Rows of Address are made of it in steps, from the front: `next_address` is the first of which none was made,
    empty when all were. The database refuses two ranges of a VRF that overlap (`pool_range_overlaps`), one that
    leaves its subnet (`pool_range_within_its_subnet`) and one that cuts a prefix (`pool_range_aligned`).
    """

    pool = TenantForeignKey(Pool, models.CASCADE, related_name="ranges")
    subnet = TenantForeignKey(Subnet, models.PROTECT, related_name="pool_ranges")
    first = InetField()
    last = InetField()
    next_address = InetField(null=True, editable=False)
    # Kept equal to the pool's and the subnet's by foreign keys.
    vrf = TenantForeignKey(Vrf, models.PROTECT, related_name="+", editable=False)
    family = models.PositiveSmallIntegerField(choices=Family, editable=False)
    prefix_length = models.PositiveSmallIntegerField(editable=False)
    subnet_network = CidrField(editable=False)

    class Meta:
        ordering = ["first"]
        constraints = [
            models.CheckConstraint(condition=Q(first__lte=F("last")), name="pool_range_in_order"),
        ]
        indexes = [
            models.Index(fields=["tenant", "pool", "first"], name="pool_range_by_pool"),
            models.Index(fields=["tenant", "subnet"], name="pool_range_by_subnet"),
            models.Index(fields=["tenant", "vrf", "first", "last"], name="pool_range_by_address"),
        ]

    def __str__(self) -> str:
        return f"{self.first} – {self.last}"


@audit.track()
class Exclusion(TenantModel):
    """Addresses of a pool's ranges, first and last included, that it never hands out."""

    pool = TenantForeignKey(Pool, models.CASCADE, related_name="exclusions")
    first = InetField()
    last = InetField()
    reason = models.CharField(max_length=120, blank=True, help_text="For example 'routers'.")

    class Meta:
        ordering = ["first"]
        constraints = [
            models.CheckConstraint(condition=Q(first__lte=F("last")), name="exclusion_in_order"),
        ]
        indexes = [models.Index(fields=["tenant", "pool", "first"], name="exclusion_by_pool")]

    def __str__(self) -> str:
        return f"{self.first} – {self.last}"
