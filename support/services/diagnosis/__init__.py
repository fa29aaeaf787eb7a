"""Why is this customer offline: one chain of steps, each with its fact, source and age, and one sentence."""

from support.services.diagnosis.chain import diagnose
from support.services.diagnosis.words import (
    PERMISSIONS,
    Action,
    ActionCode,
    Cause,
    Diagnosis,
    Step,
    StepName,
    StepStatus,
)

__all__ = [
    "PERMISSIONS",
    "Action",
    "ActionCode",
    "Cause",
    "Diagnosis",
    "Step",
    "StepName",
    "StepStatus",
    "diagnose",
]
