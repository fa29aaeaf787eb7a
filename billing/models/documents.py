"""What a provider shows of itself on invoices, and the sending of them."""

from django.db import models
from django.db.models import Q

from billing.models.invoices import Invoice
from ispcore import audit
from ispcore.jobs.models import Job
from ispcore.tenants.base import TenantModel
from ispcore.tenants.fields import TenantForeignKey
from ispcore.tenants.models import User


class Language(models.TextChoices):
    EN = "en", "English"
    ES = "es", "Español"
    PT = "pt", "Português"
    AR = "ar", "العربية"


@audit.track()
class BillingIdentity(TenantModel):
    """Who bills: what stands in the head and the foot of each invoice. One row per provider."""

    legal_name = models.CharField(
        max_length=120, help_text="As it is registered; also the holder of the account."
    )
    tax_id = models.CharField("tax number", max_length=40, blank=True)
    address = models.TextField(max_length=300, blank=True, help_text="As on a letter, up to five lines.")
    email = models.EmailField(
        "e-mail",
        blank=True,
        help_text="Where customers' answers to a sent invoice go, and what invoices show.",
    )
    phone = models.CharField(max_length=40, blank=True)
    iban = models.CharField(
        "IBAN",
        max_length=34,
        blank=True,
        help_text="ISO 13616. Invoices in euro then carry a code that banking apps read (EPC069-12).",
    )
    bic = models.CharField("BIC", max_length=11, blank=True, help_text="ISO 9362; not needed within the EEA.")
    bank_name = models.CharField(max_length=80, blank=True)
    language = models.CharField(
        max_length=2,
        choices=Language,
        default=Language.EN,
        help_text="Of invoices, e-mails and the payment page.",
    )
    note = models.CharField(max_length=300, blank=True, help_text="Printed below each invoice.")
    sends_invoices = models.BooleanField(
        "send invoices by e-mail", default=False, help_text="Each one once, when it is issued."
    )
    logo = models.BinaryField(default=bytes, blank=True, editable=True)

    class Meta:
        verbose_name_plural = "billing identity"
        constraints = [
            models.UniqueConstraint(fields=["tenant"], name="billing_identity_one_per_tenant"),
            models.CheckConstraint(
                condition=Q(language__in=Language.values), name="billing_identity_language_known"
            ),
        ]

    def __str__(self) -> str:
        return self.legal_name


class MailStatus(models.TextChoices):
    QUEUED = "queued", "Waits"
    SENDING = "sending", "Being sent"
    SENT = "sent", "Sent"
    FAILED = "failed", "Failed"


class InvoiceMail(TenantModel):
    """One e-mail with an invoice. Its state is written before it is sent, so that no retry sends it twice."""

    invoice = TenantForeignKey(Invoice, models.PROTECT, related_name="mails")
    to = models.EmailField()
    status = models.CharField(max_length=7, choices=MailStatus, default=MailStatus.QUEUED)
    job = TenantForeignKey(Job, models.PROTECT, null=True, related_name="+")
    problem = models.CharField(max_length=300, blank=True)
    sent_at = models.DateTimeField(null=True)
    created_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", db_index=False)

    class Meta:
        verbose_name = "e-mail"
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=MailStatus.values), name="invoice_mail_status_known"
            ),
            models.UniqueConstraint(
                fields=["tenant", "invoice"],
                condition=Q(status__in=[MailStatus.QUEUED, MailStatus.SENDING]),
                name="invoice_mail_one_under_way",
            ),
        ]
        indexes = [models.Index(fields=["tenant", "invoice", "-id"], name="invoice_mail_by_invoice")]

    def __str__(self) -> str:
        return f"{self.get_status_display()}: {self.to}"
