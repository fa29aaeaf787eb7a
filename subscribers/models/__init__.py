from subscribers.models.catalogue import BillingProfile, Cycle, PaymentKind, Period, Plan, PlanZone, Zone
from subscribers.models.feed import SnapshotCursor
from subscribers.models.service import (
    Hold,
    HoldReason,
    PlanChange,
    Premise,
    ServiceStatus,
    Subscription,
)
from subscribers.models.subscriber import (
    DocumentType,
    DuplicateRule,
    Subscriber,
    SubscriberSettings,
    SubscriberStatus,
    SubscriberWord,
)

__all__ = [
    "BillingProfile",
    "Cycle",
    "DocumentType",
    "DuplicateRule",
    "Hold",
    "HoldReason",
    "PaymentKind",
    "Period",
    "Plan",
    "PlanChange",
    "PlanZone",
    "Premise",
    "ServiceStatus",
    "SnapshotCursor",
    "Subscriber",
    "SubscriberSettings",
    "SubscriberStatus",
    "SubscriberWord",
    "Subscription",
    "Zone",
]
