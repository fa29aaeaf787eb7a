"""Deterministic CGNAT: who was behind a public address and port is computed, not logged (RFC 7422)."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q

from ipam.models.fields import InetField
from ipam.models.pools import Pool
from ipam.models.space import Vrf
from ispcore import audit
from ispcore.tenants.base import TenantModel
from ispcore.tenants.fields import TenantForeignKey
from ispcore.tenants.models import User


@audit.track()
class CgnatRule(TenantModel):
    """Which block of ports of which public address an inside address gets, while the rule is valid.

    With `blocks` = (65536 - first_port) // ports_per_line, the i-th inside address uses the public address
    `public_first` + i // blocks and the ports from first_port + (i % blocks) * ports_per_line. A rule is never
    edited: it is ended and followed by another, so that what it said of the past stays true. The database
    refuses rules whose times and inside or public ranges overlap, and public ranges that are too small.
    """

    name = models.CharField(max_length=80)
    vrf = TenantForeignKey(Vrf, models.PROTECT, related_name="+", verbose_name="inside VRF")
    pool = TenantForeignKey(
        Pool, models.PROTECT, null=True, blank=True, related_name="cgnat_rules", help_text="Of the inside."
    )
    inside_first = InetField()
    inside_last = InetField()
    public_first = InetField()
    public_last = InetField()
    first_port = models.PositiveIntegerField(
        default=1024, validators=[MinValueValidator(1), MaxValueValidator(65535)]
    )
    ports_per_line = models.PositiveIntegerField(
        default=2016, validators=[MinValueValidator(1), MaxValueValidator(65535)]
    )
    valid_from = models.DateTimeField()
    valid_until = models.DateTimeField(null=True, blank=True, help_text="Empty: still valid.")
    note = models.CharField(max_length=200, blank=True)
    created_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", db_index=False)

    class Meta:
        verbose_name = "CGNAT rule"
        constraints = [
            models.CheckConstraint(
                condition=Q(inside_first__lte=F("inside_last")) & Q(public_first__lte=F("public_last")),
                name="cgnat_rule_ranges_in_order",
            ),
            models.CheckConstraint(
                condition=Q(first_port__range=(1, 65535))
                & Q(ports_per_line__gte=1)
                & Q(ports_per_line__lte=65536 - F("first_port")),
                name="cgnat_rule_ports_in_range",
            ),
            models.CheckConstraint(
                condition=Q(valid_until=None) | Q(valid_until__gt=F("valid_from")),
                name="cgnat_rule_valid_for_a_time",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "public_first", "public_last"], name="cgnat_rule_by_public"),
            models.Index(fields=["tenant", "vrf", "inside_first"], name="cgnat_rule_by_inside"),
            models.Index(fields=["tenant", "pool"], name="cgnat_rule_by_pool"),
        ]

    def __str__(self) -> str:
        return self.name
