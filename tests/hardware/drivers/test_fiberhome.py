"""FiberHome: the white list, and why an ONU is down."""

import pytest

from demo.olt import SimulatedOlt
from hardware.drivers import DRIVERS, DownCause, OnuPlace, Preset
from hardware.snmp import SnmpError, open_transport
from tests.hardware.drivers.steps import sets

FIBERHOME = DRIVERS["fiberhome"]
PLACE = OnuPlace(pon_port="11/1", onu_id=7, serial="FHTT12345678")


def test_a_cut_fibre_is_told_from_a_power_failure(target_of):
    with SimulatedOlt("fiberhome", onus=3, pon_ports=1) as olt, open_transport(target_of(olt)) as transport:
        for onu_id, cause in ((0, 13), (1, 1)):
            olt.set_onu_online(0, onu_id, online=False, down_cause=cause)
        olt.set_onu_online(0, 2, online=True)
        causes = [onu.last_down_cause for onu in FIBERHOME.discover(transport).onus]

    assert causes == [DownCause.DYING_GASP, DownCause.LOS, None]


def test_an_onu_comes_and_goes_by_the_white_list(target_of):
    with SimulatedOlt("fiberhome", onus=2, pon_ports=1) as olt, open_transport(target_of(olt)) as transport:
        (step,) = sets(FIBERHOME.plan_authorize(PLACE, Preset(onu_type="703")))
        assert transport.get(list(step.done_when)) != step.done_when
        transport.set(step.pairs)
        assert transport.get(list(step.done_when)) == step.done_when
        there = FIBERHOME.discover(transport).onus[-1]
        (removal,) = sets(FIBERHOME.plan_unauthorize(PLACE))
        transport.set(removal.pairs)
        assert transport.get(list(removal.done_when)) == removal.done_when
        with pytest.raises(SnmpError):
            transport.set(removal.pairs)

    assert (there.index, there.serial) == ("11/1/7", "FHTT12345678")
    assert len(olt.onus) == 2


@pytest.mark.parametrize(
    ("place", "preset"),
    [
        (PLACE, Preset()),
        (PLACE, Preset(onu_type="AN5506-01")),
        (PLACE, Preset(onu_type="703", vlan=100)),
        (OnuPlace("11/1/1", 7, "FHTT12345678"), Preset(onu_type="703")),
        (OnuPlace("0/1", 7, "FHTT12345678"), Preset(onu_type="703")),
        (OnuPlace("11/1", 4000, "FHTT12345678"), Preset(onu_type="703")),
        (OnuPlace("11/1", 7, "FHTT 2345678"), Preset(onu_type="703")),
    ],
)
def test_what_cannot_be_planned_is_said(place, preset):
    with pytest.raises(ValueError):  # noqa: PT011  (each says something else)
        FIBERHOME.plan_authorize(place, preset)
