from aaa.models.accounts import Account, AccountState, TopUp
from aaa.models.nas import Nas, NasRealm
from aaa.models.profiles import Policy, PolicyReply, ServiceProfile, VirtualServer
from aaa.models.sessions import AuthAttempt, DailyUsage, HourlyUsage, PastSession, Session, SessionAction
from aaa.models.settings import RadiusSettings
from aaa.models.vouchers import Voucher, VoucherBatch
from aaa.models.words import (
    ActionCause,
    ActionKind,
    ActionOutcome,
    ActionState,
    Barred,
    CapPeriod,
    Context,
    EndedBy,
    MacLock,
    NasType,
    OctetsMode,
    OverCap,
    Reason,
    VoucherState,
)

__all__ = [
    "Account",
    "AccountState",
    "ActionCause",
    "ActionKind",
    "ActionOutcome",
    "ActionState",
    "AuthAttempt",
    "Barred",
    "CapPeriod",
    "Context",
    "DailyUsage",
    "EndedBy",
    "HourlyUsage",
    "MacLock",
    "Nas",
    "NasRealm",
    "NasType",
    "OctetsMode",
    "OverCap",
    "PastSession",
    "Policy",
    "PolicyReply",
    "RadiusSettings",
    "Reason",
    "ServiceProfile",
    "Session",
    "SessionAction",
    "TopUp",
    "VirtualServer",
    "Voucher",
    "VoucherBatch",
    "VoucherState",
]
