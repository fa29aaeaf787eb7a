"""Addresses and delegated prefixes: what state each is in, and who had it when."""

from django.db import models
from django.db.models import F, Q

from ipam.models.fields import InetField
from ipam.models.pools import Pool
from ipam.models.space import Subnet, Vrf
from ispcore.tenants.base import TenantModel
from ispcore.tenants.fields import TenantForeignKey
from ispcore.tenants.models import User
from subscribers.models import Subscription


class AddressState(models.TextChoices):
    FREE = "free", "Free"
    RESERVED = "reserved", "Reserved"
    ASSIGNED = "assigned", "Assigned"
    QUARANTINED = "quarantined", "Resting"


class Address(TenantModel):
    """One address, or one delegated prefix with its mask, of a VRF: one row, so one holder.

    Rows are made when a pool first looks at them; what has no row is free. Prefixes never overlap one another
    (exclusion constraint `address_prefix_overlaps`). A line holds at most one of each pool.
    """

    vrf = TenantForeignKey(Vrf, models.PROTECT, related_name="addresses", verbose_name="VRF")
    subnet = TenantForeignKey(Subnet, models.PROTECT, null=True, related_name="addresses")
    pool = TenantForeignKey(Pool, models.PROTECT, null=True, related_name="addresses")
    address = InetField(help_text="An address, or a delegated prefix with its mask.")
    state = models.CharField(max_length=11, choices=AddressState, default=AddressState.FREE)
    subscription = TenantForeignKey(
        Subscription,
        models.PROTECT,
        null=True,
        related_name="addresses",
        verbose_name="service",
        help_text="The line that holds it.",
    )
    assigned_to = models.CharField(
        max_length=120, blank=True, help_text="What holds it when no line does, such as a router's loopback."
    )
    reserved_for = models.CharField(max_length=120, blank=True, help_text="Why it is kept back.")
    hostname = models.CharField(max_length=253, blank=True)
    note = models.CharField(max_length=200, blank=True)
    free_since = models.DateTimeField(
        null=True, help_text="The longest free goes first, so that each rests as long as it can."
    )
    assigned_at = models.DateTimeField(null=True)
    quarantined_until = models.DateTimeField(
        null=True, help_text="Until then it rests after its last holder."
    )
    changed_by = models.ForeignKey(
        User,
        models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        help_text="Who last gave, kept back or took it; empty: the system.",
    )

    class Meta:
        verbose_name_plural = "addresses"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "vrf", "address"], name="address_once_per_vrf"),
            # Only what is assigned has a service.
            models.UniqueConstraint(
                fields=["tenant", "subscription", "pool"],
                condition=Q(subscription__isnull=False),
                name="address_one_per_service_and_pool",
            ),
            models.CheckConstraint(
                condition=Q(state=AddressState.ASSIGNED)
                & (Q(subscription__isnull=False) ^ ~Q(assigned_to=""))
                | ~Q(state=AddressState.ASSIGNED) & Q(subscription=None, assigned_to=""),
                name="address_holder_fits_state",
            ),
            models.CheckConstraint(
                condition=Q(
                    state=AddressState.FREE,
                    free_since__isnull=False,
                    assigned_at=None,
                    quarantined_until=None,
                )
                | Q(state=AddressState.RESERVED, free_since=None, assigned_at=None, quarantined_until=None)
                | Q(
                    state=AddressState.ASSIGNED,
                    free_since=None,
                    assigned_at__isnull=False,
                    quarantined_until=None,
                )
                | Q(
                    state=AddressState.QUARANTINED,
                    free_since=None,
                    assigned_at=None,
                    quarantined_until__isnull=False,
                ),
                name="address_times_fit_state",
            ),
            models.CheckConstraint(
                condition=Q(state=AddressState.RESERVED) | Q(reserved_for=""),
                name="address_reserved_for_fits_state",
            ),
        ]
        indexes = [
            # The order of the allocator, served by no other index: one that also holds used rows would be
            # walked over all of them.
            models.Index(
                fields=["tenant", "pool", "free_since", "address"],
                condition=Q(state=AddressState.FREE),
                name="address_next_free",
            ),
            models.Index(
                fields=["tenant", "quarantined_until"],
                condition=Q(state=AddressState.QUARANTINED),
                name="address_rest_ends",
            ),
            models.Index(fields=["tenant", "address", "id"], name="address_by_address"),
            models.Index(fields=["tenant", "pool", "address", "id"], name="address_by_pool"),
            models.Index(fields=["tenant", "subnet", "address", "id"], name="address_by_subnet"),
            models.Index(
                fields=["tenant", "state", "address"],
                condition=Q(state__in=[AddressState.RESERVED, AddressState.QUARANTINED]),
                name="address_by_rare_state",
            ),
            models.Index(
                fields=["tenant", "hostname", "id"], condition=~Q(hostname=""), name="address_by_hostname"
            ),
        ]

    def __str__(self) -> str:
        return str(self.address)


class PastAssignment(TenantModel):
    """Who held an address from when to when. The present holder stands in Address."""

    vrf = TenantForeignKey(Vrf, models.PROTECT, related_name="+", verbose_name="VRF")
    pool = TenantForeignKey(Pool, models.SET_NULL, null=True, related_name="+")
    address = InetField()
    subscription = TenantForeignKey(
        Subscription, models.PROTECT, null=True, related_name="past_addresses", verbose_name="service"
    )
    assigned_to = models.CharField(max_length=120, blank=True)
    hostname = models.CharField(max_length=253, blank=True)
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    ended_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", db_index=False)
    reason = models.CharField(max_length=120, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(ended_at__gte=F("began_at")), name="past_assignment_in_order"),
            models.CheckConstraint(
                condition=Q(subscription__isnull=False) ^ ~Q(assigned_to=""),
                name="past_assignment_has_holder",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "vrf", "address", "-ended_at"], name="past_by_address"),
            models.Index(fields=["tenant", "subscription", "-ended_at"], name="past_by_service"),
            models.Index(fields=["tenant", "pool"], name="past_by_pool"),
        ]

    def __str__(self) -> str:
        return f"{self.address} until {self.ended_at:%Y-%m-%d}"
