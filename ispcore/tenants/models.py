from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from ispcore import audit
from ispcore.tenants.base import TenantModel
from ispcore.tenants.fields import new_id
from ispcore.tenants.roles import STAFF_ROLES, Role, allows


class Tenant(models.Model):
    """One internet provider. Never deleted: switched off."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    slug = models.SlugField(
        max_length=40,
        unique=True,
        validators=[RegexValidator(r"^[a-z][a-z0-9-]*\Z", "Lower-case letters, digits and hyphens only.")],
        help_text="Short name used in the X-Tenant-ID header, for example 'demo'.",
    )
    name = models.CharField(max_length=120)
    timezone = models.CharField(
        max_length=63, default="UTC", help_text="IANA name; billing days and screens use it."
    )
    is_active = models.BooleanField(default=True, help_text="Switched off, nobody can act for this tenant.")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name


class UserManager(BaseUserManager["User"]):
    def create_user(self, *, email: str, password: str | None = None, **fields: Any) -> "User":
        """Create a user who logs in by e-mail; without a password local log-in is closed."""
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save()
        return user

    def create_superuser(self, *, email: str, password: str | None = None) -> "User":
        """Create a platform operator: may act for any one tenant at a time, through the audited switcher."""
        return self.create_user(email=email, password=password, is_platform_staff=True)

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email=(username or "").strip().lower())


class User(AbstractBaseUser):
    """A person who logs in. What they may do depends on the tenant they act for."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    email = models.EmailField(unique=True, help_text="The log-in name; stored in lower case.")
    full_name = models.CharField(max_length=120, blank=True)
    is_active = models.BooleanField(default=True)
    is_platform_staff = models.BooleanField(
        default=False, help_text="May act for every tenant, one at a time; each switch is recorded."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    # Set by the middleware for the request's tenant, never stored; None may do nothing.
    acting_role: str | None = None

    objects = UserManager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(email=Lower("email")), name="user_email_lower_case"),
        ]

    def __str__(self) -> str:
        return self.full_name or self.email

    def get_full_name(self) -> str:
        return self.full_name

    @property
    def is_staff(self) -> bool:
        return self.acting_role in STAFF_ROLES

    @property
    def is_superuser(self) -> bool:
        return False  # Nobody is: the role table decides, and row-level security underneath.

    def has_perm(self, perm: str, obj: object = None) -> bool:
        """Answer Django's `app.verb_model` and our own `app.verb` from the role table."""
        app_label, _, codename = perm.partition(".")
        return self.is_active and allows(self.acting_role, app_label, codename.partition("_")[0])

    def has_perms(self, perm_list: list[str], obj: object = None) -> bool:
        return all(self.has_perm(perm, obj) for perm in perm_list)

    def has_module_perms(self, app_label: str) -> bool:
        return self.has_perm(f"{app_label}.view")


@audit.track()
class Membership(models.Model):
    """A user's role with one tenant.

    Row-level security shows a row to its tenant and to its user: log-in must learn a user's tenants
    before one is bound.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, models.PROTECT, related_name="memberships", db_index=False)
    user = models.ForeignKey(User, models.PROTECT, related_name="memberships")
    role = models.CharField(max_length=32, choices=Role)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "user"], name="membership_one_role_per_tenant"),
            models.CheckConstraint(condition=Q(role__in=Role.values), name="membership_role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user} · {self.get_role_display()}"


class AuditEntry(TenantModel):
    """Something a person did that changes no row: acted for a tenant, revealed a secret."""

    action = models.CharField(max_length=40)
    detail = models.CharField(max_length=200, blank=True)
    user = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", db_index=False)
    ip = models.GenericIPAddressField(null=True)
    request_id = models.CharField(max_length=64, blank=True)

    class Meta:
        verbose_name_plural = "audit entries"
        indexes = [models.Index(fields=["tenant", "-created_at"], name="audit_newest_first")]

    def __str__(self) -> str:
        return f"{self.action} {self.detail}".strip()


class NumberSeries(TenantModel):
    """The next human number of one kind of record."""

    kind = models.CharField(max_length=30)
    next_value = models.PositiveIntegerField(default=1)

    class Meta:
        verbose_name_plural = "number series"
        constraints = [models.UniqueConstraint(fields=["tenant", "kind"], name="number_series_one_per_kind")]

    def __str__(self) -> str:
        return self.kind
