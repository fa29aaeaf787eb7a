"""Type at a device's command line: `CliSession(target)` and the errors it may raise."""

from hardware.cli.errors import (
    CliError,
    CliHostKeyChanged,
    CliLoginFailed,
    CliLost,
    CliRefused,
    CliTimeout,
)
from hardware.cli.session import MASK, CliSession, CliTarget

__all__ = [
    "MASK",
    "CliError",
    "CliHostKeyChanged",
    "CliLoginFailed",
    "CliLost",
    "CliRefused",
    "CliSession",
    "CliTarget",
    "CliTimeout",
]
