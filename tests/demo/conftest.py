"""The simulators' tests use the hardware tests' fixtures."""

from tests.hardware.conftest import recordings, require_tool

__all__ = ["recordings", "require_tool"]
