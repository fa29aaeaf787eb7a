"""Who buys."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from ispcore import audit
from ispcore.tenants.base import TenantModel
from ispcore.tenants.fields import TenantForeignKey
from subscribers.models.catalogue import BillingProfile


class SubscriberStatus(models.TextChoices):
    PROSPECT = "prospect", "Prospect"
    ACTIVE = "active", "Active"
    SUSPENDED = "suspended", "Suspended"
    INACTIVE = "inactive", "Inactive"


class DocumentType(models.TextChoices):
    NATIONAL_ID = "national_id", "National identity card"
    PASSPORT = "passport", "Passport"
    TAX_ID = "tax_id", "Tax number"
    COMPANY = "company", "Company registration"
    OTHER = "other", "Other"


class DuplicateRule(models.TextChoices):
    DOCUMENT = "document", "Document"
    EMAIL = "email", "E-mail"
    PHONE = "phone", "Phone"


@audit.track()
class SubscriberSettings(TenantModel):
    """What one provider wants of its subscriber records; one row per tenant, made when first needed."""

    duplicate_rules = ArrayField(
        models.CharField(max_length=10, choices=DuplicateRule),
        default=list,
        blank=True,
        help_text="What two active subscribers may not share.",
    )
    phone_region = models.CharField(
        max_length=2,
        default="US",
        help_text="ISO 3166 country of phone numbers written without a country code.",
    )

    class Meta:
        verbose_name_plural = "subscriber settings"
        constraints = [models.UniqueConstraint(fields=["tenant"], name="subscriber_settings_one_per_tenant")]

    def __str__(self) -> str:
        return "Subscriber settings"


@audit.track()
class Subscriber(TenantModel):
    """A customer: a person or a company, with contacts, address and document.

    Status changes by actions only. What look-ups compare is kept in normalised columns beside what was
    given: operators such as ILIKE lose their index under row-level security, `=` and prefixes do not.
    """

    number = models.CharField(max_length=20, editable=False, help_text="For people, such as SUB-000184.")
    external_id = models.CharField(
        max_length=80,
        blank=True,
        help_text="The record's id in another system; refuses a second one.",
    )
    full_name = models.CharField(max_length=200)
    email = models.EmailField(blank=True)
    email_lower = models.CharField(max_length=254, blank=True, editable=False)
    phone = models.CharField(max_length=40, blank=True, help_text="As given.")
    phone_e164 = models.CharField(max_length=20, blank=True, editable=False)
    status = models.CharField(
        max_length=10, choices=SubscriberStatus, default=SubscriberStatus.PROSPECT, editable=False
    )
    suspended_until = models.DateTimeField(
        null=True, editable=False, help_text="When a suspension ends by itself; empty: when somebody ends it."
    )
    billing_profile = TenantForeignKey(
        BillingProfile, models.PROTECT, null=True, blank=True, related_name="subscribers"
    )
    address_line1 = models.CharField(max_length=200, blank=True)
    address_line2 = models.CharField(max_length=200, blank=True)
    city = models.CharField(max_length=100, blank=True)
    state = models.CharField(max_length=100, blank=True)
    postal_code = models.CharField(max_length=20, blank=True)
    country = models.CharField(max_length=2, blank=True, help_text="ISO 3166, for example PT.")
    document_type = models.CharField(max_length=12, choices=DocumentType, blank=True)
    document_number = models.CharField(max_length=60, blank=True)
    document_normal = models.CharField(max_length=60, blank=True, editable=False)
    metadata = models.JSONField(default=dict, blank=True)
    custom_fields = models.JSONField(default=dict, blank=True, help_text="CustomField.key -> value.")
    tags = ArrayField(models.CharField(max_length=40), default=list, blank=True)
    terms_accepted_at = models.DateTimeField(null=True, blank=True)
    marketing_consent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "number"], name="subscriber_number_unique_per_tenant"),
            models.UniqueConstraint(
                fields=["tenant", "external_id"],
                condition=~Q(external_id=""),
                name="subscriber_external_id_unique_per_tenant",
            ),
            models.CheckConstraint(
                condition=Q(status__in=SubscriberStatus.values), name="subscriber_status_known"
            ),
            models.CheckConstraint(
                condition=Q(suspended_until=None) | Q(status=SubscriberStatus.SUSPENDED),
                name="subscriber_suspended_until_while_suspended",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "status", "-id"], name="subscriber_by_status"),
            models.Index(fields=["tenant", "email_lower"], name="subscriber_by_email"),
            models.Index(fields=["tenant", "phone_e164"], name="subscriber_by_phone"),
            models.Index(fields=["tenant", "document_normal"], name="subscriber_by_document"),
            models.Index(fields=["tenant", "billing_profile"], name="subscriber_by_profile"),
            # What the API filters and orders by: without them a page would read the whole tenant.
            models.Index(fields=["tenant", "full_name", "-id"], name="subscriber_by_name"),
            models.Index(fields=["tenant", "city", "-id"], name="subscriber_by_city"),
            models.Index(fields=["tenant", "created_at", "-id"], name="subscriber_by_creation"),
            models.Index(fields=["tenant", "updated_at", "-id"], name="subscriber_by_update"),
            models.Index(
                fields=["tenant", "-id"],
                condition=Q(terms_accepted_at__isnull=False),
                name="subscriber_terms_accepted",
            ),
            models.Index(
                fields=["tenant", "-id"],
                condition=Q(marketing_consent_at__isnull=False),
                name="subscriber_consents",
            ),
            models.Index(
                fields=["tenant", "suspended_until"],
                condition=Q(suspended_until__isnull=False),
                name="subscriber_suspension_ends",
            ),
        ]

    def __str__(self) -> str:
        return self.full_name


class SubscriberWord(TenantModel):
    """A word a subscriber can be found by: of the name, address, e-mail, phone, document and number.

    Lower-case and without accents. A prefix of a word finds its rows by index (`^@` is leakproof), whatever
    the number of subscribers; LIKE on one long text would read them all under row-level security.
    """

    subscriber = TenantForeignKey(Subscriber, models.CASCADE, related_name="words")
    word = models.CharField(max_length=60)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "word", "subscriber"], name="subscriber_word_once")
        ]
        indexes = [models.Index(fields=["tenant", "subscriber"], name="subscriber_word_by_subscriber")]

    def __str__(self) -> str:
        return self.word
