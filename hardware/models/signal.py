"""From which power on a signal is weak, by class of optics."""

from django.db import models
from django.db.models import F, Q

from hardware.models.words import PonClass
from ispcore import audit
from ispcore.tenants.base import TenantModel


@audit.track()
class SignalLimits(TenantModel):
    """A provider's own limits of what an ONU and the OLT should receive, dBm; without a row the usual ones hold."""

    pon_class = models.CharField("optics class", max_length=8, choices=PonClass)
    overload_above_dbm = models.FloatField("overload above, dBm", default=-8.0)
    warning_below_dbm = models.FloatField("warning below, dBm", default=-25.0)
    critical_below_dbm = models.FloatField("critical below, dBm", default=-27.0)
    olt_warning_below_dbm = models.FloatField("at the OLT: warning below, dBm", default=-28.0)
    olt_critical_below_dbm = models.FloatField("at the OLT: critical below, dBm", default=-30.0)

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
