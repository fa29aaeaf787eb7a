from ipam.models.addresses import Address, AddressState, PastAssignment
from ipam.models.cgnat import CgnatRule
from ipam.models.drift import Drift, DriftKind, Reconciliation, ReconciliationStatus, Repair, SeenIn
from ipam.models.exchange import BookFormat, BookImport, BookImportRow, BookStatus
from ipam.models.pools import Exclusion, Family, Pool, PoolKind, PoolRange, Purpose
from ipam.models.space import Subnet, Vrf
from ipam.models.usage import PoolUsage, SubnetUsage, UsageDelta, UsageLevel, UsageSample

__all__ = [
    "Address",
    "AddressState",
    "BookFormat",
    "BookImport",
    "BookImportRow",
    "BookStatus",
    "CgnatRule",
    "Drift",
    "DriftKind",
    "Exclusion",
    "Family",
    "PastAssignment",
    "Pool",
    "PoolKind",
    "PoolRange",
    "PoolUsage",
    "Purpose",
    "Reconciliation",
    "ReconciliationStatus",
    "Repair",
    "SeenIn",
    "Subnet",
    "SubnetUsage",
    "UsageDelta",
    "UsageLevel",
    "UsageSample",
    "Vrf",
]
