"""Changes to devices: presets, and the jobs that carry them out."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from hardware.models.olt import Olt
from hardware.models.onu import Onu
from hardware.models.words import Vendor
from ispcore import audit
from ispcore.jobs.models import Job
from ispcore.tenants.base import TenantModel
from ispcore.tenants.fields import TenantForeignKey
from ispcore.tenants.models import User
from subscribers.models import Subscription

VLAN = [MinValueValidator(1), MaxValueValidator(4094)]  # IEEE 802.1Q, 9.6.


@audit.track()
class OnuPreset(TenantModel):
    """How a vendor's OLTs are told to serve an ONU: profiles and VLAN under a name."""

    name = models.CharField(max_length=80)
    vendor = models.CharField(max_length=20, choices=Vendor)
    line_profile = models.CharField(
        max_length=80,
        blank=True,
        help_text="Its name or number on the OLT; on ZTE the T-CONT profile is named below.",
    )
    service_profile = models.CharField(max_length=80, blank=True, help_text="Its name or number on the OLT.")
    vlan = models.PositiveSmallIntegerField("VLAN", null=True, blank=True, validators=VLAN)
    user_vlan = models.PositiveSmallIntegerField(
        "VLAN at the ONU", null=True, blank=True, validators=VLAN, help_text="Empty: the same."
    )
    gem_port = models.PositiveSmallIntegerField("GEM port", default=1)
    onu_type = models.CharField(
        "ONU type", max_length=40, blank=True, help_text="As ZTE and FiberHome name it."
    )
    tcont_profile = models.CharField("T-CONT profile", max_length=40, blank=True)
    native_vlan_port = models.PositiveSmallIntegerField(
        "Ethernet port with the VLAN untagged", null=True, blank=True, help_text="Empty: none."
    )

    class Meta:
        verbose_name = "ONU preset"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "name"], name="onu_preset_name_unique_per_tenant"),
            models.CheckConstraint(condition=Q(vendor__in=Vendor.values), name="onu_preset_vendor_known"),
        ]

    def __str__(self) -> str:
        return self.name


class ProvisioningAction(models.TextChoices):
    AUTHORIZE = "authorize", "Authorise"
    UNAUTHORIZE = "unauthorize", "Remove"
    REBOOT = "reboot", "Restart"


class ProvisioningStatus(models.TextChoices):
    PLANNED = "planned", "Planned"
    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    ROLLED_BACK = "rolled_back", "Rolled back"


class StepState(models.TextChoices):
    """How far a step of a plan came."""

    PLANNED = "planned", "Planned"
    STARTED = "started", "Sent, not confirmed"
    UNKNOWN = "unknown", "Sent, outcome unknown; to be sent again"
    DONE = "done", "Done"
    FOUND = "found", "Was so already"
    UNDONE = "undone", "Taken back"


UNFINISHED = (ProvisioningStatus.PLANNED, ProvisioningStatus.RUNNING)


@audit.track(ignore=("plan", "steps_done", "transcript", "message"))
class ProvisioningJob(TenantModel):
    """One change to a device: what was planned, what was said, how it ended.

    planned -> running -> succeeded or failed; a failed one is run again from the step that failed, or rolled
    back. One unfinished job per serial: of two at once on two ports one wins. One runs per OLT at a time.
    """

    action = models.CharField(max_length=12, choices=ProvisioningAction)
    olt = TenantForeignKey(Olt, models.CASCADE, related_name="provisioning_jobs")
    onu = TenantForeignKey(Onu, models.SET_NULL, null=True, related_name="provisioning_jobs")
    subscription = TenantForeignKey(Subscription, models.SET_NULL, null=True, related_name="+")
    preset = TenantForeignKey(OnuPreset, models.SET_NULL, null=True, related_name="+")
    serial = models.CharField(max_length=32)
    pon_port = models.CharField(max_length=32)
    onu_number = models.PositiveIntegerField(
        null=True, help_text="Its id on the port; drawn when it is planned."
    )
    description = models.CharField(max_length=128, blank=True)
    status = models.CharField(max_length=12, choices=ProvisioningStatus, default=ProvisioningStatus.PLANNED)
    profile = models.JSONField(
        default=dict, help_text="The preset's fields as they were when it was planned."
    )
    plan = models.JSONField(
        default=list, help_text="The steps in words, secrets masked, each with how far it came."
    )
    steps_done = models.PositiveSmallIntegerField(default=0)
    transcript = models.TextField(
        blank=True, help_text="What was said to the device and what it answered, masked."
    )
    is_already = models.BooleanField(
        "already so", default=False, help_text="The device was as wanted before anything was sent."
    )
    service_port = models.CharField(
        max_length=80, blank=True, help_text="The number of the service port that the device drew."
    )
    error_code = models.CharField(max_length=60, blank=True)
    message = models.CharField(max_length=1000, blank=True)
    job = TenantForeignKey(Job, models.PROTECT, null=True, related_name="+")
    requested_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", db_index=False)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "serial"],
                condition=Q(status__in=UNFINISHED),
                name="provisioning_job_one_unfinished_per_serial",
            ),
            models.UniqueConstraint(
                fields=["tenant", "olt"],
                condition=Q(status=ProvisioningStatus.RUNNING),
                name="provisioning_job_one_running_per_olt",
            ),
            models.CheckConstraint(
                condition=Q(action__in=ProvisioningAction.values), name="provisioning_job_action_known"
            ),
            models.CheckConstraint(
                condition=Q(status__in=ProvisioningStatus.values), name="provisioning_job_status_known"
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "olt", "-created_at"], name="provisioning_job_of_olt"),
            models.Index(fields=["tenant", "onu", "-created_at"], name="provisioning_job_of_onu"),
        ]

    def __str__(self) -> str:
        return f"{self.get_action_display()} {self.serial}"
