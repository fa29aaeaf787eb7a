from subscribers.models.catalogue import BillingProfile, Cycle, PaymentKind, Period, Plan, PlanZone, Zone
from subscribers.models.exchange import (
    CustomField,
    CustomFieldKind,
    Import,
    ImportRowError,
    ImportStatus,
    OnDuplicate,
    Segment,
    SegmentOf,
)
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
    "CustomField",
    "CustomFieldKind",
    "Cycle",
    "DocumentType",
    "DuplicateRule",
    "Hold",
    "HoldReason",
    "Import",
    "ImportRowError",
    "ImportStatus",
    "OnDuplicate",
    "PaymentKind",
    "Period",
    "Plan",
    "PlanChange",
    "PlanZone",
    "Premise",
    "Segment",
    "SegmentOf",
    "ServiceStatus",
    "SnapshotCursor",
    "Subscriber",
    "SubscriberSettings",
    "SubscriberStatus",
    "SubscriberWord",
    "Subscription",
    "Zone",
]
