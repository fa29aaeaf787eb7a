"""What the hardware tests share."""

from collections.abc import Callable

import pytest

from demo.olt import SimulatedOlt
from hardware.snmp import Target


@pytest.fixture
def target_of() -> Callable[..., Target]:
    """Return a function that gives a simulated OLT's target, patient enough for a busy machine."""

    def target(olt: SimulatedOlt, **options: object) -> Target:
        wanted: dict[str, object] = {"community": "public", "timeout_seconds": 2.0, "retries": 2} | options
        return Target(olt.host, olt.port, **wanted)  # type: ignore[arg-type]

    return target
