"""What a finished change leaves behind here: the ONU as the device has it now, its event, who waits no more."""

from datetime import datetime
from typing import Any

from django.db.models.functions import Now

from hardware.models import (
    Onu,
    OnuEvent,
    OnuEventKind,
    OnuStatus,
    PonPort,
    ProvisioningAction,
    ProvisioningJob,
    ProvisioningStatus,
    StepState,
    WaitingOnu,
)
from hardware.services import management
from hardware.services.planning import ServiceHasOnu
from ispcore.events.services import publish

MEASURED = (OnuStatus.ONLINE, OnuStatus.OFFLINE)  # What a poll saw says more than that it was authorised.


def succeed(change: ProvisioningJob, *, at: datetime) -> dict[str, Any]:
    """Store what the change came to and end it, in the caller's transaction; return the job's result.

    Raises ServiceHasOnu when another ONU has come to feed the service meanwhile.
    """
    change.is_already = bool(change.plan) and all(step["state"] == StepState.FOUND for step in change.plan)
    outcomes = {
        ProvisioningAction.AUTHORIZE: (_authorised, "authorised"),
        ProvisioningAction.UNAUTHORIZE: (_removed, "removed"),
        ProvisioningAction.REBOOT: (_restarted, "restarted"),
    }
    store, word = outcomes[ProvisioningAction(change.action)]
    store(change, at)
    end(change, ProvisioningStatus.SUCCEEDED)
    return result(change, word)


def _authorised(change: ProvisioningJob, at: datetime) -> None:
    """Keep the ONU as the device has it now, and what it feeds."""
    line = change.subscription
    if line is not None:
        feeding = Onu.objects.filter(subscription=line).exclude(olt=change.olt, serial=change.serial)
        if (other := feeding.exclude(serial=change.serial).first()) is not None:
            raise ServiceHasOnu(number=line.number, serial=other.serial)
        feeding.update(subscription=None)  # The same unit, moved here from another OLT.
    onu, _ = Onu.objects.get_or_create(
        olt=change.olt,
        serial=change.serial,
        defaults={"first_seen_at": at, "last_seen_at": at, "index": f"{change.pon_port}/{change.onu_number}"},
    )
    onu = Onu.objects.select_for_update(of=("self",)).get(pk=onu.pk)
    onu.pon_port = PonPort.objects.filter(olt=change.olt, index=change.pon_port).first()
    onu.index = f"{change.pon_port}/{change.onu_number}"
    onu.onu_id = change.onu_number
    onu.last_seen_at = at
    onu.vanished_at = None
    onu.subscription = line or onu.subscription
    onu.description = change.description or onu.description
    if not change.is_already:
        onu.line_profile = change.profile["line_profile"] or onu.line_profile
        onu.service_profile = change.profile["service_profile"] or onu.service_profile
    if onu.status not in MEASURED:
        onu.status, onu.status_changed_at = OnuStatus.AUTHORISED, at
    if onu.authorised_at is None or not change.is_already:
        onu.authorised_at = at
        OnuEvent.objects.create(onu=onu, at=at, kind=OnuEventKind.AUTHORISED)
        publish("hardware.onu_authorised", onu_id=str(onu.pk), olt_id=str(change.olt_id))
    onu.save()
    change.onu = onu
    WaitingOnu.objects.filter(olt=change.olt, serial=change.serial).delete()


def _removed(change: ProvisioningJob, at: datetime) -> None:
    onu = Onu.objects.select_for_update(of=("self",)).filter(pk=change.onu_id).first()
    if onu is None or onu.status == OnuStatus.REMOVED:
        return
    management.return_management_address(
        onu_id=onu.pk, at=at, reason="ONU removed", user_id=change.requested_by_id
    )
    onu.management_address = None
    onu.subscription = None
    onu.vanished_at = None
    onu.status, onu.status_changed_at = OnuStatus.REMOVED, at
    onu.authorised_at = None
    onu.save()
    OnuEvent.objects.create(onu=onu, at=at, kind=OnuEventKind.REMOVED)
    publish("hardware.onu_removed", onu_id=str(onu.pk), olt_id=str(change.olt_id))


def _restarted(change: ProvisioningJob, at: datetime) -> None:
    if change.onu_id:
        OnuEvent.objects.create(onu_id=change.onu_id, at=at, kind=OnuEventKind.RESTARTED)


def end(change: ProvisioningJob, status: ProvisioningStatus, *, code: str = "", message: str = "") -> None:
    change.status = status
    change.error_code, change.message = code, message[:1000]
    change.finished_at = Now()
    change.save()
    change.refresh_from_db(fields=["finished_at"])


def result(change: ProvisioningJob, status: str) -> dict[str, Any]:
    return {
        "status": status,
        "already": change.is_already,
        "provisioning_job_id": str(change.pk),
        "olt_id": str(change.olt_id),
        "onu_id": str(change.onu_id) if change.onu_id else None,
        "service_id": str(change.subscription_id) if change.subscription_id else None,
        "serial": change.serial,
        "pon_port": change.pon_port,
        "onu_number": change.onu_number,
        "service_port": change.service_port,
    }
