"""The book against the network: what was seen, where they disagree, and repairs. Import from here."""

from ipam.services.reconciliation.repairs import (
    DriftNotFound,
    DriftNotRepairable,
    DriftOutdated,
    DriftRepaired,
    How,
    NobodySeen,
    Repaired,
    repair_all,
    repair_drift,
)
from ipam.services.reconciliation.runs import (
    KEPT_FOR,
    KIND,
    ListMissing,
    ListNotWanted,
    NothingSeen,
    reconcile,
    reconcile_all,
    request_reconciliation,
)
from ipam.services.reconciliation.seen import (
    SeenAddress,
    SessionSource,
    register_session_source,
    remove_session_source,
)

__all__ = [
    "KEPT_FOR", "KIND", "DriftNotFound", "DriftNotRepairable", "DriftOutdated", "DriftRepaired", "How",
    "ListMissing", "ListNotWanted", "NobodySeen", "NothingSeen", "Repaired", "SeenAddress",
    "SessionSource", "reconcile", "reconcile_all", "register_session_source",
    "remove_session_source", "repair_all", "repair_drift", "request_reconciliation",
]  # fmt: skip
