"""The routers and hotspots that ask, and whose customers they serve."""

from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from aaa.models.fields import RadiusSecretField
from aaa.models.words import COA_PORT, COA_PORTS, NasType, OctetsMode
from ipam.models.fields import InetField
from ispcore import audit
from ispcore.tenants.base import TenantModel
from ispcore.tenants.fields import TenantForeignKey
from ispcore.tenants.models import Tenant
from subscribers.models import Zone

# RFC 7542 section 2.2, in the letters a NAS' command line takes.
REALM = RegexValidator(r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\Z", "A realm is written like a domain name.")


@audit.track(ignore=("last_auth_at", "last_acct_at", "sends_gigawords"))
class Nas(TenantModel):
    """A network access server: where subscribers' sessions end, and which client of ours that makes.

    A packet's source address says which NAS sent it, and with that whose customer is meant: nothing the packet
    says of itself does. So an address belongs to one NAS of one tenant in the whole installation. A mirror has no
    address: it stands, among a guest's own, for another provider's NAS that carries the guest's customers.
    """

    name = models.CharField(max_length=80, help_text="What staff call it, for example 'BNG North'.")
    address = InetField(
        null=True,
        blank=True,
        help_text="The source address of its RADIUS packets; nobody else in this installation may have it.",
    )
    mirror_of = models.UUIDField(
        null=True, editable=False, help_text="The NAS of another provider that this one stands for."
    )
    secret = RadiusSecretField(help_text="Shared with the NAS; stored encrypted and never shown again.")
    nas_type = models.CharField(
        "type", max_length=10, choices=NasType, help_text="Decides how rates are told to it."
    )
    coa_address = InetField(
        "CoA address", null=True, blank=True, help_text="Where it takes CoA; empty: its address."
    )
    coa_port = models.PositiveIntegerField(
        "CoA port",
        blank=True,
        default=0,
        validators=[MinValueValidator(1), MaxValueValidator(65535)],
        help_text="Empty: 3799, and 1700 for Cisco.",
    )
    require_message_authenticator = models.BooleanField(
        default=True,
        help_text="Drop its requests that carry none. Switch off only for a NAS that cannot send it: without it "
        "an attacker between can turn a refusal into an accept (CVE-2024-3596).",
    )
    nas_ip_reported = InetField(
        "NAS-IP-Address",
        null=True,
        blank=True,
        help_text="As it names itself, where that is another address.",
    )
    nas_identifier = models.CharField(
        "NAS-Identifier", max_length=253, blank=True, help_text="As it names itself."
    )
    octets_mode = models.CharField(
        "IPv6 counters", max_length=11, choices=OctetsMode, default=OctetsMode.COMBINED
    )
    swaps_octets = models.BooleanField(
        "counts the other way round", default=False, help_text="It calls the download its input."
    )
    zone = TenantForeignKey(Zone, models.PROTECT, null=True, blank=True, related_name="+")
    site = models.CharField(max_length=80, blank=True, help_text="Where it stands.")
    is_active = models.BooleanField(default=True, help_text="Switched off, its packets are dropped.")
    notes = models.TextField(blank=True, max_length=2000)

    # Learned from its packets; the times are written at most once a minute.
    sends_gigawords = models.BooleanField(default=False, editable=False)
    last_auth_at = models.DateTimeField(null=True, editable=False)
    last_acct_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = "NAS"
        verbose_name_plural = "NASes"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "name"], name="nas_name_unique_per_tenant"),
            # Across tenants: the address is what tells us the tenant.
            models.UniqueConstraint(
                fields=["address"],
                name="nas_address_unique",
                violation_error_message="This address belongs to another NAS already.",
            ),
            models.UniqueConstraint(
                fields=["tenant", "mirror_of"],
                condition=Q(mirror_of__isnull=False),
                name="nas_mirror_once_per_tenant",
            ),
            models.CheckConstraint(
                condition=Q(address__isnull=False) ^ Q(mirror_of__isnull=False),
                name="nas_has_address_or_mirrors",
            ),
            models.CheckConstraint(condition=Q(nas_type__in=NasType.values), name="nas_type_known"),
            models.CheckConstraint(condition=Q(coa_port__range=(1, 65535)), name="nas_coa_port_in_range"),
            models.CheckConstraint(
                condition=Q(octets_mode__in=OctetsMode.values), name="nas_octets_mode_known"
            ),
        ]
        indexes = [models.Index(fields=["tenant", "zone"], name="nas_by_zone")]

    def __str__(self) -> str:
        return self.name

    def clean_fields(self, exclude: Any = None) -> None:
        self.coa_port = self.coa_port or COA_PORTS.get(self.nas_type, COA_PORT)
        super().clean_fields(exclude)

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.coa_port = self.coa_port or COA_PORTS.get(self.nas_type, COA_PORT)
        super().save(*args, **kwargs)


@audit.track()
class NasRealm(TenantModel):
    """A realm of another provider whose customers this NAS carries: `user@realm` is asked of that provider."""

    nas = TenantForeignKey(Nas, models.CASCADE, related_name="realms", verbose_name="NAS")
    realm = models.CharField(
        max_length=253, validators=[REALM], help_text="What follows the @, in lower case."
    )
    guest = models.ForeignKey(
        Tenant, models.PROTECT, related_name="+", db_index=False, help_text="Whose customers these are."
    )
    guest_nas_id = models.UUIDField(editable=False, help_text="The guest's mirror of the NAS.")

    class Meta:
        verbose_name = "wholesale realm"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "nas", "realm"],
                name="nas_realm_unique_per_nas",
                violation_error_message="This NAS carries this realm already.",
            ),
            models.CheckConstraint(condition=Q(realm=Lower("realm")), name="nas_realm_lower_case"),
        ]

    def __str__(self) -> str:
        return f"{self.realm} on {self.nas}"
