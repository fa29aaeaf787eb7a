"""Who collects money for a provider over the internet, what was asked of them, and what they told."""

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from billing.models.fields import CurrencyField, MoneyField
from billing.models.invoices import Invoice
from billing.models.payments import Payment
from ispcore import audit
from ispcore.crypto import SecretField
from ispcore.money import round_money
from ispcore.tenants.base import TenantModel
from ispcore.tenants.fields import TenantForeignKey
from ispcore.tenants.models import User
from subscribers.models import Subscriber

LONGEST_ID = (
    255  # Stripe's ids have no fixed length; theirs are said to stay below this (docs.stripe.com/upgrades).
)


class GatewayKind(models.TextChoices):
    STRIPE = "stripe", "Stripe"
    DEMO_BANK = "demo_bank", "Demo bank (no real money)"


class CheckoutStatus(models.TextChoices):
    OPEN = "open", "Waits for the payer"
    PAID = "paid", "Paid"
    ENDED = "ended", "Ended without a payment"


class EventOutcome(models.TextChoices):
    BOOKED = "booked", "Booked"
    PARKED = "parked", "Waits"
    IGNORED = "ignored", "Nothing to do"


@audit.track(ignore=("refused_at", "refusal"))
class GatewayAccount(TenantModel):
    """A provider's account at a payment gateway.

    Its notices come to `billing/gateways/{name}/callback`. The name tells the provider and holds a part that cannot
    be guessed; it opens nothing by itself, each notice must be signed.
    """

    kind = models.CharField(max_length=9, choices=GatewayKind, verbose_name="gateway")
    label = models.CharField(
        "name", max_length=60, help_text="As staff and payers read it, for example Card payments."
    )
    key = models.CharField(max_length=40, editable=False)
    api_key = SecretField(
        "secret key", blank=True, help_text="Of Stripe: begins with sk_ or rk_. Stored encrypted."
    )
    webhook_secret = SecretField(
        "signing secret",
        help_text="Of Stripe's webhook endpoint: begins with whsec_. Proves that a notice is the gateway's.",
    )
    is_enabled = models.BooleanField(
        "enabled", default=True, help_text="Off: no new payments are begun. Notices are still taken in."
    )
    refused_at = models.DateTimeField(
        null=True, editable=False, help_text="When a notice was last refused for its signature or age."
    )
    refusal = models.CharField(max_length=200, blank=True, editable=False)

    class Meta:
        verbose_name = "payment gateway"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "key"], name="gateway_account_key_unique_per_tenant"),
            models.UniqueConstraint(
                fields=["tenant", "label"], name="gateway_account_label_unique_per_tenant"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=GatewayKind.values), name="gateway_account_kind_known"
            ),
        ]

    def __str__(self) -> str:
        return self.label


class Checkout(TenantModel):
    """A payment that a subscriber was sent to a gateway for: of an invoice, or a top-up."""

    gateway = TenantForeignKey(GatewayAccount, models.PROTECT, related_name="checkouts")
    subscriber = TenantForeignKey(Subscriber, models.PROTECT, related_name="checkouts")
    invoice = TenantForeignKey(Invoice, models.PROTECT, null=True, related_name="checkouts")
    amount = MoneyField()
    currency = CurrencyField()
    status = models.CharField(max_length=5, choices=CheckoutStatus, default=CheckoutStatus.OPEN)
    remote_id = models.CharField(max_length=LONGEST_ID, blank=True, help_text="The gateway's name of it.")
    remote_payment = models.CharField(
        max_length=LONGEST_ID, blank=True, help_text="The gateway's name of the payment it led to."
    )
    url = models.TextField(blank=True, validators=[RegexValidator(r"^https?://\S+\Z")])
    payment = TenantForeignKey(Payment, models.PROTECT, null=True, related_name="checkouts")
    created_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", db_index=False)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="checkout_amount_positive"),
            models.CheckConstraint(
                condition=Q(status__in=CheckoutStatus.values), name="checkout_status_known"
            ),
            models.UniqueConstraint(
                fields=["tenant", "gateway", "remote_payment"],
                condition=~Q(remote_payment=""),
                name="checkout_remote_payment_unique",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "subscriber", "-id"], name="checkout_by_subscriber"),
            models.Index(fields=["tenant", "invoice"], name="checkout_by_invoice"),
            models.Index(fields=["tenant", "payment"], name="checkout_by_payment"),
        ]

    def __str__(self) -> str:
        return f"{round_money(self.amount, self.currency)} {self.currency}"


class GatewayEvent(TenantModel):
    """A notice a gateway sent, once: the database refuses a second with its id."""

    gateway = TenantForeignKey(GatewayAccount, models.PROTECT, related_name="events")
    event_id = models.CharField(max_length=LONGEST_ID)
    kind = models.CharField(max_length=120, help_text="As the gateway calls it.")
    remote_payment = models.CharField(max_length=LONGEST_ID, blank=True)
    facts = models.JSONField(help_text="What was read from it: which payment, how much.")
    payload = models.TextField(blank=True, help_text="What was sent, when it was not too long to keep.")
    outcome = models.CharField(max_length=7, choices=EventOutcome)
    detail = models.CharField(max_length=300, blank=True, help_text="Why it waits, or why nothing was to do.")
    payment = TenantForeignKey(Payment, models.PROTECT, null=True, related_name="gateway_events")
    happened_at = models.DateTimeField()
    received_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "gateway", "event_id"], name="gateway_event_taken_once"
            ),
            models.CheckConstraint(
                condition=Q(outcome__in=EventOutcome.values), name="gateway_event_outcome_known"
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "gateway", "-id"], name="gateway_event_newest"),
            models.Index(fields=["tenant", "payment"], name="gateway_event_by_payment"),
            models.Index(
                fields=["tenant", "gateway", "remote_payment"],
                condition=Q(outcome=EventOutcome.PARKED),
                name="gateway_event_parked",
            ),
        ]

    def __str__(self) -> str:
        return self.kind
