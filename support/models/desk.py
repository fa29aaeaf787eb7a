"""What the helpdesk works by: teams, the catalogue of subjects, ready answers and the rules of one provider."""

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q

from ispcore import audit
from ispcore.tenants.base import TenantModel
from ispcore.tenants.fields import TenantForeignKey
from ispcore.tenants.models import User
from subscribers.models import Zone

ZONE_LIMIT = 3  # Open tickets of one zone, as the WispHub local API has it.
DUE_DAYS = 3
MOST_DAYS = 60
MOST_HOURS = 500
HOURS = RegexValidator(
    r"^([01][0-9]|2[0-3]):[0-5][0-9]-(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)\Z",
    "Write the hours as 09:00-18:00, or nothing for a day off.",
)


class Priority(models.TextChoices):
    LOW = "low", "Low"
    NORMAL = "normal", "Normal"
    HIGH = "high", "High"
    URGENT = "urgent", "Urgent"


class OutageEnd(models.TextChoices):
    RESOLVE = "resolve", "Resolve them"
    ASK = "ask", "Leave them open, with a note to ask the customer"


@audit.track()
class Team(TenantModel):
    """People who share a queue."""

    name = models.CharField(max_length=80)
    is_active = models.BooleanField(default=True, help_text="Switched off, no new ticket goes to it.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "name"], name="team_name_unique_per_tenant")]

    def __str__(self) -> str:
        return self.name


@audit.track()
class TeamMember(TenantModel):
    """A person of a team."""

    team = TenantForeignKey(Team, models.CASCADE, related_name="members")
    user = models.ForeignKey(User, models.PROTECT, related_name="+", db_index=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "team", "user"], name="team_member_once")]
        indexes = [models.Index(fields=["tenant", "user"], name="team_member_by_user")]

    def __str__(self) -> str:
        return str(self.user)


@audit.track()
class Subject(TenantModel):
    """What tickets are about. Its priority is the ticket's, its times say when somebody must have answered."""

    name = models.CharField(max_length=120)
    priority = models.CharField(max_length=6, choices=Priority, default=Priority.NORMAL)
    team = TenantForeignKey(
        Team, models.PROTECT, null=True, blank=True, related_name="subjects", help_text="Gets its tickets."
    )
    response_hours = models.PositiveSmallIntegerField(
        "first answer within, hours",
        default=8,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_HOURS)],
        help_text="Hours the helpdesk is open.",
    )
    resolution_days = models.PositiveSmallIntegerField(
        "due in, business days",
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_DAYS)],
        help_text="Empty: as the support settings say.",
    )
    position = models.PositiveSmallIntegerField(default=0, help_text="Lists show low positions first.")
    is_active = models.BooleanField(default=True, help_text="Switched off, no new ticket can have it.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "name"], name="subject_name_unique_per_tenant"),
            models.CheckConstraint(condition=Q(priority__in=Priority.values), name="subject_priority_known"),
            models.CheckConstraint(
                condition=Q(response_hours__range=(1, MOST_HOURS)), name="subject_response_in_range"
            ),
            models.CheckConstraint(
                condition=Q(resolution_days=None) | Q(resolution_days__range=(1, MOST_DAYS)),
                name="subject_resolution_in_range",
            ),
        ]
        indexes = [models.Index(fields=["tenant", "team"], name="subject_by_team")]

    def __str__(self) -> str:
        return self.name


@audit.track()
class CannedAnswer(TenantModel):
    """A text kept ready for comments, with placeholders."""

    name = models.CharField(max_length=80)
    body = models.TextField(
        max_length=4000,
        help_text="May name {customer}, {service}, {ticket} and {due}; the answer has their values.",
    )
    is_active = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "name"], name="canned_answer_name_unique_per_tenant")
        ]

    def __str__(self) -> str:
        return self.name


def usual_hours() -> list[str]:
    return ["09:00-18:00"] * 5 + ["", ""]


@audit.track()
class SupportSettings(TenantModel):
    """One provider's rules; a provider that has none yet works by the defaults."""

    zone_limit = models.PositiveSmallIntegerField(
        "open tickets per zone",
        default=ZONE_LIMIT,
        validators=[MaxValueValidator(1000)],
        help_text="More are refused until one is resolved; a zone may have a limit of its own.",
    )
    due_days = models.PositiveSmallIntegerField(
        "due in, business days",
        default=DUE_DAYS,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_DAYS)],
        help_text="Where the subject says nothing.",
    )
    opening_hours = ArrayField(
        models.CharField(max_length=11, blank=True, validators=[HOURS]),
        size=7,
        default=usual_hours,
        help_text="Monday to Sunday, such as 09:00-18:00; empty for a day off.",
    )
    country = models.CharField(
        max_length=2,
        blank=True,
        validators=[RegexValidator(r"^[A-Z]{2}\Z", "Two capital letters, for example PT.")],
        help_text="Whose public holidays are days off, ISO 3166, for example PT. Empty: none.",
    )
    subdivision = models.CharField(
        max_length=10, blank=True, help_text="Part of the country with holidays of its own, such as BY of DE."
    )
    escalate_after_hours = models.PositiveSmallIntegerField(
        "escalate after, hours",
        default=16,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_HOURS)],
        help_text="Hours the helpdesk is open, waiting not counted. Each time the priority goes up by one.",
    )
    auto_close_days = models.PositiveSmallIntegerField(
        "close resolved tickets after, days",
        default=7,
        validators=[MinValueValidator(1), MaxValueValidator(365)],
        help_text="Until then the customer's reply opens the ticket again.",
    )
    outage_end = models.CharField(
        "when an outage ends, its tickets",
        max_length=7,
        choices=OutageEnd,
        default=OutageEnd.RESOLVE,
    )
    mail_subject = TenantForeignKey(
        Subject,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name="subject of tickets that come by e-mail",
        help_text="Empty: mail only answers tickets that are open; a customer's other mail is refused.",
    )

    class Meta:
        verbose_name_plural = "support settings"
        constraints = [
            models.UniqueConstraint(fields=["tenant"], name="support_settings_one_per_tenant"),
            models.CheckConstraint(
                condition=Q(opening_hours__len=7), name="support_settings_hours_of_a_week"
            ),
            models.CheckConstraint(
                condition=Q(
                    due_days__range=(1, MOST_DAYS),
                    escalate_after_hours__range=(1, MOST_HOURS),
                    auto_close_days__range=(1, 365),
                ),
                name="support_settings_times_in_range",
            ),
            models.CheckConstraint(
                condition=Q(outage_end__in=OutageEnd.values), name="support_settings_outage_end_known"
            ),
        ]
        indexes = [models.Index(fields=["tenant", "mail_subject"], name="support_settings_by_subject")]

    def __str__(self) -> str:
        return "Support settings"


@audit.track()
class ZoneLimit(TenantModel):
    """How many open tickets one zone may have, instead of what the settings say."""

    zone = TenantForeignKey(Zone, models.CASCADE, related_name="+")
    limit = models.PositiveSmallIntegerField(
        "open tickets", validators=[MaxValueValidator(1000)], help_text="0: the zone takes none."
    )

    class Meta:
        verbose_name = "limit of a zone"
        verbose_name_plural = "limits of zones"
        constraints = [models.UniqueConstraint(fields=["tenant", "zone"], name="zone_limit_one_per_zone")]

    def __str__(self) -> str:
        return f"{self.limit} open tickets"
