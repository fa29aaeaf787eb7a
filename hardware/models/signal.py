"""From which power on a signal is weak, by class of optics."""

from django.db import models
from django.db.models import F, Q

from hardware.models.words import PonClass
from ispcore import audit
from ispcore.tenants.base import TenantModel

# What an ONU should receive, dBm. -8 to -27 is the window of class B+ and C+ optics (ITU-T G.984.2 Amd 1); the
# warning at -25 is common practice, two decibels before the end. At the OLT: B+ ends at -28 (unverified).
OVERLOAD_ABOVE_DBM = -8.0
WARNING_BELOW_DBM = -25.0
CRITICAL_BELOW_DBM = -27.0
OLT_WARNING_BELOW_DBM = -28.0
OLT_CRITICAL_BELOW_DBM = -30.0


@audit.track()
class SignalLimits(TenantModel):
    """A provider's own limits of what an ONU and the OLT should receive, dBm; without a row the usual ones hold."""

    pon_class = models.CharField("optics class", max_length=8, choices=PonClass)
    overload_above_dbm = models.FloatField("overload above, dBm", default=OVERLOAD_ABOVE_DBM)
    warning_below_dbm = models.FloatField("warning below, dBm", default=WARNING_BELOW_DBM)
    critical_below_dbm = models.FloatField("critical below, dBm", default=CRITICAL_BELOW_DBM)
    olt_warning_below_dbm = models.FloatField("at the OLT: warning below, dBm", default=OLT_WARNING_BELOW_DBM)
    olt_critical_below_dbm = models.FloatField(
        "at the OLT: critical below, dBm", default=OLT_CRITICAL_BELOW_DBM
    )

    class Meta:
        verbose_name = verbose_name_plural = "signal limits"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "pon_class"], name="signal_limits_one_per_class"),
            models.CheckConstraint(
                condition=Q(critical_below_dbm__lt=F("warning_below_dbm"))
                & Q(warning_below_dbm__lt=F("overload_above_dbm"))
                & Q(olt_critical_below_dbm__lt=F("olt_warning_below_dbm")),
                name="signal_limits_in_order",
            ),
        ]

    def __str__(self) -> str:
        return f"Limits of {self.get_pon_class_display()}"
