"""The customer's line: what the API calls a service."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from ispcore import audit
from ispcore.crypto import SecretField
from ispcore.tenants.base import TenantModel
from ispcore.tenants.fields import TenantForeignKey
from ispcore.tenants.models import User
from subscribers import normal
from subscribers.models.catalogue import Plan, Zone
from subscribers.models.subscriber import Subscriber


class ServiceStatus(models.TextChoices):
    DRAFT = "draft", "Draft"
    PENDING_INSTALLATION = "pending_installation", "Pending installation"
    ACTIVE = "active", "Active"
    SUSPENDED = "suspended", "Suspended"
    TERMINATED = "terminated", "Terminated"
    CANCELLED = "cancelled", "Cancelled"


class HoldReason(models.TextChoices):
    NON_PAYMENT = "non_payment", "Non-payment"
    ABUSE = "abuse", "Abuse"
    VACATION = "vacation", "Vacation"
    STAFF = "staff", "Staff decision"
    FRAUD = "fraud", "Fraud"


class AddressKeyField(models.CharField):  # type: ignore[type-arg]
    """What two spellings of a premise's first line share, written with the row, one by one or in bulk."""

    def pre_save(self, model_instance: Any, add: bool) -> str:
        key = normal.first_line_key(model_instance.address_line1)
        setattr(model_instance, self.attname, key)
        return key


class AddressWordsField(ArrayField):  # type: ignore[type-arg]
    """The words a premise is found by, written with the row; a trigger makes rows of PremiseWord of them."""

    def pre_save(self, model_instance: Any, add: bool) -> list[str]:
        place = model_instance
        words = normal.words_of(
            place.address_line1, place.address_line2, place.city, place.state, place.postal_code
        )
        setattr(place, self.attname, words)
        return words


@audit.track(ignore=("address_key", "address_words"))
class Premise(TenantModel):
    """A place that is or can be served."""

    zone = TenantForeignKey(Zone, models.PROTECT, null=True, blank=True, related_name="premises")
    address_line1 = models.CharField(max_length=200)
    address_line2 = models.CharField(max_length=200, blank=True)
    city = models.CharField(max_length=100, blank=True)
    state = models.CharField(max_length=100, blank=True)
    postal_code = models.CharField(max_length=20, blank=True)
    country = models.CharField(max_length=2, blank=True, help_text="ISO 3166, for example PT.")
    latitude = models.DecimalField(max_digits=9, decimal_places=6, null=True, blank=True)
    longitude = models.DecimalField(max_digits=9, decimal_places=6, null=True, blank=True)
    address_key = AddressKeyField(max_length=200, blank=True, editable=False)
    address_words = AddressWordsField(
        models.CharField(max_length=60), default=list, blank=True, editable=False
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(latitude=None, longitude=None)
                | Q(
                    latitude__isnull=False,
                    longitude__isnull=False,
                    latitude__range=(-90, 90),
                    longitude__range=(-180, 180),
                ),
                name="premise_position_on_earth",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "zone"], name="premise_by_zone"),
            models.Index(fields=["tenant", "address_key"], name="premise_by_address"),
            # What the API filters and orders by: without them a page would read the whole tenant.
            models.Index(fields=["tenant", "address_line1", "-id"], name="premise_by_line"),
            models.Index(fields=["tenant", "city", "-id"], name="premise_by_city"),
            models.Index(fields=["tenant", "postal_code", "-id"], name="premise_by_postal_code"),
            models.Index(fields=["tenant", "country", "-id"], name="premise_by_country"),
            models.Index(fields=["tenant", "state", "-id"], name="premise_by_state"),
            models.Index(fields=["tenant", "created_at", "-id"], name="premise_by_creation"),
        ]

    def __str__(self) -> str:
        return ", ".join(part for part in (self.address_line1, self.address_line2, self.city) if part)


class PremiseWord(TenantModel):
    """A word a premise can be found by, as SubscriberWord; kept by a trigger on Premise.address_words."""

    premise = TenantForeignKey(Premise, models.CASCADE, related_name="words")
    word = models.CharField(max_length=60)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "word", "premise"], name="premise_word_once")
        ]
        indexes = [models.Index(fields=["tenant", "premise"], name="premise_word_by_premise")]

    def __str__(self) -> str:
        return self.word


@audit.track(ignore=("changed_xid",))
class Subscription(TenantModel):
    """One line of a customer: a plan at a premise. Its status has one owner, `subscribers.services`."""

    number = models.PositiveIntegerField(editable=False, help_text="The human number of the service.")
    subscriber = TenantForeignKey(Subscriber, models.PROTECT, related_name="subscriptions")
    plan = TenantForeignKey(Plan, models.PROTECT, related_name="subscriptions")
    premise = TenantForeignKey(Premise, models.PROTECT, related_name="subscriptions")
    status = models.CharField(
        max_length=20, choices=ServiceStatus, default=ServiceStatus.PENDING_INSTALLATION, editable=False
    )
    isp_reference = models.CharField("ISP reference", max_length=80, blank=True)
    wifi_name = models.CharField(
        "WiFi name", max_length=32, blank=True
    )  # IEEE 802.11: an SSID has 32 octets.
    wifi_password = SecretField("WiFi password", blank=True, default="")
    sales_agent = models.CharField(max_length=120, blank=True)
    created_by = models.ForeignKey(
        User, models.PROTECT, null=True, editable=False, related_name="+", db_index=False
    )
    provisioned_at = models.DateTimeField(null=True, editable=False, help_text="When it first became active.")
    terminated_at = models.DateTimeField(null=True, editable=False)
    # Written by a trigger: the transaction that changed the row last. See services/snapshot.
    changed_xid = models.BigIntegerField(default=0, editable=False)

    class Meta:
        verbose_name = "service"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "number"], name="subscription_number_unique_per_tenant"
            ),
            models.CheckConstraint(
                condition=Q(status__in=ServiceStatus.values), name="subscription_status_known"
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "subscriber"], name="subscription_by_subscriber"),
            models.Index(fields=["tenant", "status", "-id"], name="subscription_by_status"),
            models.Index(fields=["tenant", "plan"], name="subscription_by_plan"),
            models.Index(fields=["tenant", "premise"], name="subscription_by_premise"),
            models.Index(
                fields=["tenant", "isp_reference", "-id"],
                condition=~Q(isp_reference=""),
                name="subscription_by_reference",
            ),
            models.Index(fields=["tenant", "created_at", "-id"], name="subscription_by_creation"),
            models.Index(fields=["tenant", "updated_at", "-id"], name="subscription_by_update"),
            # The dashboard's months.
            models.Index(
                fields=["tenant", "provisioned_at"],
                condition=Q(provisioned_at__isnull=False),
                name="subscription_by_beginning",
            ),
            models.Index(
                fields=["tenant", "terminated_at"],
                condition=Q(terminated_at__isnull=False),
                name="subscription_by_end",
            ),
            models.Index(fields=["tenant", "changed_xid", "id"], name="subscription_by_change"),
        ]

    def __str__(self) -> str:
        return f"Service {self.number}"


@audit.track()
class Hold(TenantModel):
    """One reason for which a line is barred. The line runs when none is open."""

    subscription = TenantForeignKey(Subscription, models.CASCADE, related_name="holds")
    reason = models.CharField(max_length=12, choices=HoldReason)
    note = models.CharField(max_length=200, blank=True)
    opened_at = models.DateTimeField()
    until = models.DateTimeField(null=True, blank=True, help_text="Lifts itself then; empty: until lifted.")
    released_at = models.DateTimeField(null=True, editable=False)
    opened_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", db_index=False)
    released_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", db_index=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "subscription", "reason"],
                condition=Q(released_at=None),
                name="hold_one_open_per_reason",
            ),
            models.CheckConstraint(condition=Q(reason__in=HoldReason.values), name="hold_reason_known"),
            models.CheckConstraint(
                condition=Q(until=None) | Q(until__gt=F("opened_at")), name="hold_lasts_a_time"
            ),
        ]
        indexes = [
            models.Index(
                fields=["tenant", "until"],
                condition=Q(released_at=None, until__isnull=False),
                name="hold_ends_by_itself",
            ),
            models.Index(fields=["tenant", "subscription"], name="hold_by_service"),
        ]

    def __str__(self) -> str:
        return str(self.get_reason_display())


@audit.track()
class PlanChange(TenantModel):
    """A change of plan, now or on a day; the row stays as what was agreed."""

    subscription = TenantForeignKey(Subscription, models.CASCADE, related_name="plan_changes")
    from_plan = TenantForeignKey(Plan, models.PROTECT, related_name="+")
    to_plan = TenantForeignKey(Plan, models.PROTECT, related_name="+")
    effective_on = models.DateField()
    applied_at = models.DateTimeField(null=True, editable=False)
    cancelled_at = models.DateTimeField(null=True, editable=False)
    requested_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", db_index=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "subscription"],
                condition=Q(applied_at=None, cancelled_at=None),
                name="plan_change_one_waiting_per_service",
            ),
            models.CheckConstraint(condition=~Q(from_plan=F("to_plan")), name="plan_change_changes_the_plan"),
        ]
        indexes = [
            models.Index(fields=["tenant", "subscription"], name="plan_change_by_service"),
            models.Index(fields=["tenant", "from_plan"], name="plan_change_by_from_plan"),
            models.Index(fields=["tenant", "to_plan"], name="plan_change_by_to_plan"),
            models.Index(
                fields=["tenant", "effective_on"],
                condition=Q(applied_at=None, cancelled_at=None),
                name="plan_change_waiting",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.from_plan} → {self.to_plan}"
