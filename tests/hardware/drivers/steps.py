"""What a driver's plan is made of, where a test knows it."""

from collections.abc import Iterable

from hardware.drivers.provisioning import CliStep, SnmpStep, Step


def sets(plan: Iterable[Step]) -> list[SnmpStep]:
    """Return the steps of a plan that does nothing but SET."""
    steps = []
    for step in plan:
        assert isinstance(step, SnmpStep)
        steps.append(step)
    return steps


def typed(plan: Iterable[Step]) -> list[CliStep]:
    """Return the steps of a plan that does nothing but type at a command line."""
    steps = []
    for step in plan:
        assert isinstance(step, CliStep)
        steps.append(step)
    return steps
