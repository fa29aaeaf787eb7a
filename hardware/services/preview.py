"""What a change would say to a device, drawn without asking for it."""

from typing import Any

from django.db import transaction

from hardware.models import ProvisioningJob
from hardware.services import provisioning


def preview_authorize(**asked: Any) -> ProvisioningJob:
    """Return the change that `request_authorize` would queue for the same words; nothing is stored or sent.

    Raises what `request_authorize` raises.
    """
    with transaction.atomic():
        change = provisioning.request_authorize(**asked)
        transaction.set_rollback(True)
    return change
