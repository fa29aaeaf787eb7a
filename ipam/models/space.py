"""The address space: VRFs, which may overlap, and the tree of subnets in each."""

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q

from ipam.models.fields import CidrField, FirstAddressField, InetField, LastAddressField
from ispcore import audit
from ispcore.tenants.base import TenantModel
from ispcore.tenants.fields import TenantForeignKey
from subscribers.models import Zone

MOST_DNS_SERVERS = 4

# RFC 4364 §4.2: type 0 and 2 are a number and a number, type 1 an IPv4 address and a number.
ROUTE_DISTINGUISHER = RegexValidator(
    r"^(\d{1,10}|\d{1,3}(\.\d{1,3}){3}):\d{1,10}\Z",
    "A route distinguisher is an AS number or an IPv4 address, a colon and a number, such as 64500:1.",
)


@audit.track()
class Vrf(TenantModel):
    """An address space of its own: the same address may be used once in each (RFC 4364)."""

    name = models.CharField(max_length=80, help_text="For example 'default' or 'management'.")
    rd = models.CharField(
        "route distinguisher",
        max_length=26,
        blank=True,
        validators=[ROUTE_DISTINGUISHER],
        help_text="As routers know it, such as 64500:1; may be empty.",
    )
    description = models.CharField(max_length=200, blank=True)

    class Meta:
        verbose_name = "VRF"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "name"], name="vrf_name_unique_per_tenant"),
            models.UniqueConstraint(
                fields=["tenant", "rd"], condition=~Q(rd=""), name="vrf_rd_unique_per_tenant"
            ),
        ]

    def __str__(self) -> str:
        return self.name


@audit.track(ignore=("parent_network", "first_address", "last_address", "next_address"))
class Subnet(TenantModel):
    """A network of a VRF, within the smallest one around it. Those side by side never overlap.

    The database itself refuses an overlap (exclusion constraint `subnet_overlaps`) and a child outside its
    parent (`subnet_within_its_parent`): see the migration.
    """

    vrf = TenantForeignKey(Vrf, models.PROTECT, related_name="subnets", verbose_name="VRF")
    network = CidrField(help_text="For example 203.0.113.0/24 or 2001:db8::/40.")
    parent = TenantForeignKey(
        "self", models.PROTECT, null=True, blank=True, editable=False, related_name="children"
    )
    parent_network = CidrField(
        null=True, editable=False, help_text="The parent's network, kept equal by a foreign key."
    )
    first_address = FirstAddressField(editable=False)
    last_address = LastAddressField(editable=False)
    next_address = InetField(
        null=True,
        editable=False,
        help_text="The first address of which no row was made, for what is handed out of no pool.",
    )
    name = models.CharField(max_length=80, blank=True)
    zone = TenantForeignKey(Zone, models.SET_NULL, null=True, blank=True, related_name="subnets")
    site = models.CharField(max_length=80, blank=True, help_text="Where it is routed.")
    vlan_id = models.PositiveSmallIntegerField(
        "VLAN",
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(4094)],
        help_text="IEEE 802.1Q, 1 to 4094.",
    )
    gateway = InetField(null=True, blank=True, help_text="The router's address in it; never handed out.")
    dns_servers = ArrayField(
        InetField(),
        default=list,
        blank=True,
        size=MOST_DNS_SERVERS,
        verbose_name="DNS servers",
        help_text=f"At most {MOST_DNS_SERVERS}.",
    )
    notes = models.TextField(blank=True, max_length=2000)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "vrf", "network"], name="subnet_network_unique_per_vrf"
            ),
            models.CheckConstraint(
                condition=Q(vlan_id=None) | Q(vlan_id__range=(1, 4094)), name="subnet_vlan_in_range"
            ),
            models.CheckConstraint(
                condition=Q(parent=None, parent_network=None)
                | Q(parent__isnull=False, parent_network__isnull=False),
                name="subnet_parent_with_network",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "vrf", "first_address", "last_address"], name="subnet_by_address"),
            models.Index(fields=["tenant", "parent"], name="subnet_by_parent"),
            models.Index(fields=["tenant", "zone"], name="subnet_by_zone"),
        ]

    def __str__(self) -> str:
        return f"{self.network} {self.name}".strip()
