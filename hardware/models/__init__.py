from hardware.models.olt import DiscoveryRun, Olt, OltPolling, PonPort
from hardware.models.onu import Onu, OnuEvent, OnuEventKind, Reading, WaitingOnu
from hardware.models.outages import OPEN_OUTAGE, Outage, OutageCause, OutageOnu, OutageStatus
from hardware.models.provisioning import (
    UNFINISHED,
    OnuPreset,
    ProvisioningAction,
    ProvisioningJob,
    ProvisioningStatus,
    StepState,
)
from hardware.models.signal import SignalLimits
from hardware.models.words import (
    AdminState,
    CliProtocol,
    DownCause,
    OnuStatus,
    PonClass,
    RunOutcome,
    Signal,
    SnmpVersion,
    Vendor,
)

__all__ = [
    "OPEN_OUTAGE",
    "UNFINISHED",
    "AdminState",
    "CliProtocol",
    "DiscoveryRun",
    "DownCause",
    "Olt",
    "OltPolling",
    "Onu",
    "OnuEvent",
    "OnuEventKind",
    "OnuPreset",
    "OnuStatus",
    "Outage",
    "OutageCause",
    "OutageOnu",
    "OutageStatus",
    "PonClass",
    "PonPort",
    "ProvisioningAction",
    "ProvisioningJob",
    "ProvisioningStatus",
    "Reading",
    "RunOutcome",
    "Signal",
    "SignalLimits",
    "SnmpVersion",
    "StepState",
    "Vendor",
    "WaitingOnu",
]
