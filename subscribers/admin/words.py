"""How customers' states look: words first, colour second."""

from collections.abc import Iterable
from typing import Any

from ispcore.admin.formats import DASH, moment, pill, pills
from subscribers.models import Hold, ServiceStatus, SubscriberStatus, Subscription

SUBSCRIBER_TONES = {
    SubscriberStatus.PROSPECT: "info",
    SubscriberStatus.ACTIVE: "good",
    SubscriberStatus.SUSPENDED: "warning",
    SubscriberStatus.INACTIVE: "plain",
}
SERVICE_TONES = {
    ServiceStatus.DRAFT: "plain",
    ServiceStatus.PENDING_INSTALLATION: "info",
    ServiceStatus.ACTIVE: "good",
    ServiceStatus.SUSPENDED: "warning",
    ServiceStatus.TERMINATED: "plain",
    ServiceStatus.CANCELLED: "plain",
}


def service_tone(line: Subscription) -> str:
    return SERVICE_TONES[ServiceStatus(line.status)]


def hold_pills(holds: Iterable[Hold]) -> str:
    return pills((str(hold) for hold in holds), "warning") or DASH


def hold_row(hold: Hold) -> dict[str, Any]:
    return {
        "reason": pill(str(hold), "plain" if hold.released_at else "warning"),
        "note": hold.note,
        "opened": moment(hold.opened_at),
        "by": hold.opened_by or "The system",
        "until": moment(hold.until, empty="until lifted"),
        "released": moment(hold.released_at, empty="still open"),
    }
