"""What the hardware tests share."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from demo.olt import SimulatedOlt
from hardware.models import Olt
from hardware.services import devices
from hardware.snmp import Target
from tests.factories import OltFactory


@pytest.fixture
def target_of() -> Callable[..., Target]:
    """Return a function that gives a simulated OLT's target, patient enough for a busy machine."""

    def target(olt: SimulatedOlt, **options: object) -> Target:
        wanted: dict[str, object] = {"community": "public", "timeout_seconds": 2.0, "retries": 2} | options
        return Target(olt.host, olt.port, **wanted)  # type: ignore[arg-type]

    return target


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait for a silent device as long as for a real one."""
    monkeypatch.setattr(devices, "TIMEOUT_SECONDS", 0.3)


@pytest.fixture
def simulator() -> Iterator[SimulatedOlt]:
    with SimulatedOlt("huawei", onus=32, pon_ports=4) as simulated:
        yield simulated


def register(simulated: SimulatedOlt, **fields: Any) -> Olt:
    olt: Olt = OltFactory(
        ip=simulated.host, snmp_port=simulated.port, community=simulated.community, **fields
    )
    return olt
