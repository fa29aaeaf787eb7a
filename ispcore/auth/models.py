import uuid
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from ispcore import audit
from ispcore.auth.networks import validate_network
from ispcore.tenants.base import TenantModel
from ispcore.tenants.fields import new_id
from ispcore.tenants.models import User
from ispcore.tenants.roles import STAFF_ROLES, Role

# A customer sees what is theirs, and a key is nobody.
KEY_ROLES = [(role.value, role.label) for role in Role if role in STAFF_ROLES]


class RefreshToken(models.Model):
    """One log-in with a password, and the one refresh token that continues it.

    The token is `isprt_<id>_<secret>`. A rotation replaces the secret's hash in place, so the row is the
    whole family: an id that comes with any other secret is a token used a second time. Belongs to a person,
    who may work for several tenants, and not to a tenant.
    """

    # Random throughout, and shown nowhere: who could guess an id could end that log-in.
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    secret_hash = models.CharField(max_length=64, help_text="SHA-256 of the secret, in hexadecimal.")
    auth_hash = models.CharField(
        max_length=64, help_text="Of the password at log-in: a changed password ends the log-in."
    )
    expires_at = models.DateTimeField(help_text="Of the log-in; a rotation does not move it.")
    rotated_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["expires_at"], name="refresh_token_age")]

    def __str__(self) -> str:
        return f"{self.user_id} until {self.expires_at:%Y-%m-%d}"


@audit.track(ignore=("last_used_at",))
class ApiKey(TenantModel):
    """An integrator's credential for one tenant; the key itself is shown once and stored as a hash.

    It is looked up before a tenant is bound: it is what tells the tenant. The table is isolated like all
    others, and a second policy shows a row to whoever names its `prefix`, which is random and part of the
    key; so neither a list nor another tenant's row can be read that way.
    """

    name = models.CharField(max_length=80, help_text="What uses it, for example 'billing export'.")
    role = models.CharField(max_length=32, choices=KEY_ROLES)
    prefix = models.CharField(max_length=16, editable=False, help_text="The readable part: ispk_<prefix>_…")
    secret_hash = models.CharField(max_length=64, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Empty: never.")
    allowed_ips = ArrayField(
        models.CharField(max_length=43, validators=[validate_network]),
        default=list,
        blank=True,
        help_text="Addresses or networks it may be used from; empty: anywhere.",
    )
    created_by = models.ForeignKey(
        User, models.PROTECT, null=True, editable=False, related_name="+", db_index=False
    )
    last_used_at = models.DateTimeField(null=True, editable=False, help_text="Exact to five minutes.")
    revoked_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = "API key"
        constraints: ClassVar = [
            # Across tenants, since it is looked up before one is known; random, so it tells nothing.
            models.UniqueConstraint(fields=["prefix"], name="api_key_one_per_prefix"),
            models.CheckConstraint(condition=Q(role__in=sorted(STAFF_ROLES)), name="api_key_role_known"),
        ]
        indexes: ClassVar = [models.Index(fields=["tenant", "-id"], name="api_key_newest_first")]

    def __str__(self) -> str:
        return f"{self.name} (ispk_{self.prefix}_…)"


class ExternalIdentity(models.Model):
    """Who a subject of the OpenID Connect issuer is here.

    Only (issuer, subject) identifies a person: an e-mail address can be claimed by somebody else.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    issuer = models.CharField(max_length=255)
    subject = models.CharField(
        max_length=255, help_text="The `sub` claim: at most 255 characters (OIDC Core §2)."
    )
    user = models.ForeignKey(User, models.CASCADE, related_name="external_identities")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "external identities"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["issuer", "subject"], name="external_identity_one_user_per_subject"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subject} of {self.issuer}"


class IssuerLogOut(models.Model):
    """What the issuer has ended: one of its sessions, or, without `sid`, all of a subject's until then."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    issuer = models.CharField(max_length=255)
    jti = models.CharField(max_length=255, help_text="The logout token's own id, so that none counts twice.")
    sid = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    at = models.DateTimeField(help_text="When the issuer said so.")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["issuer", "jti"], name="issuer_log_out_once"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["issuer", "sid"], name="issuer_log_out_session"),
            models.Index(fields=["issuer", "subject"], name="issuer_log_out_subject"),
        ]

    def __str__(self) -> str:
        return self.jti


class Authenticator(models.Model):
    """A person's authenticator app: the second step of a log-in with a password (RFC 6238).

    Belongs to a person, who may work for several tenants, and not to a tenant. Counts from `confirmed_at` on, so
    that nobody locks themselves out by beginning.
    """

    user = models.OneToOneField(User, models.CASCADE, primary_key=True, related_name="authenticator")
    sealed_secret = models.TextField(editable=False, help_text="Encrypted, bound to this person.")
    last_step = models.BigIntegerField(
        default=0, help_text="The 30 seconds whose code was taken last: no code counts twice."
    )
    recovery_hashes = ArrayField(
        models.CharField(max_length=64), default=list, help_text="SHA-256 of the recovery codes not used yet."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    confirmed_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"Authenticator of {self.user_id}"
