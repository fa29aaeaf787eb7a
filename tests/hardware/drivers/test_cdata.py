"""C-Data: two ways to number ONUs, two ways to number their optics, and what is SET."""

import pytest

from demo.olt import SimulatedOlt
from hardware.drivers import DRIVERS, NotSupportedByDevice, OnuPlace, Preset, read_system
from hardware.drivers.cdata import CdataEponDriver, CdataGponDriver
from hardware.snmp import SnmpError, SnmpTimeout, open_transport
from tests.hardware.drivers.steps import sets

CDATA = DRIVERS["cdata"]
PRESET = Preset(line_profile="1", service_profile="2")
DIALECTS = {"cdata": "gpon", "cdata_port": "gpon-port", "cdata_old": "gpon", "cdata_epon": "epon"}


@pytest.fixture
def choose(target_of):
    def choose(olt, **options):
        with open_transport(target_of(olt, timeout_seconds=0.3, retries=0)) as transport:
            return CDATA.choose(transport, read_system(transport), **options)

    return choose


@pytest.mark.parametrize(("vendor", "dialect"), DIALECTS.items())
def test_the_tables_are_found_and_remembered(choose, vendor, dialect):
    with SimulatedOlt(vendor, onus=2, pon_ports=1) as olt:
        assert choose(olt).dialect == dialect
        before = olt.requests
        assert choose(olt, remembered=dialect).dialect == dialect
        assert olt.requests == before + 1  # The system group alone.


def test_an_empty_box_is_complete_and_asked_again(target_of):
    with SimulatedOlt("cdata_old", onus=0, pon_ports=2) as olt, open_transport(target_of(olt)) as transport:
        found = CDATA.discover(transport)

    assert (found.dialect, found.onus_complete, found.failures) == ("", True, ())


def test_a_box_that_falls_silent_when_asked_is_a_timeout(choose):
    with (
        SimulatedOlt("cdata", onus=2, pon_ports=1, fault="stop-after=1") as olt,
        pytest.raises(SnmpTimeout),
    ):
        choose(olt)


@pytest.mark.parametrize(
    ("vendor", "indexes"),
    [
        ("cdata", ["0/0/1/1", "0/0/1/2", "0/0/2/1", "0/0/2/2"]),
        (
            "cdata_old",
            ["0/0/1/1/#16780545", "0/0/1/2/#16780546", "0/0/2/1/#16780801", "0/0/2/2/#16780802"],
        ),
    ],
)
def test_either_number_leads_to_port_and_onu(target_of, vendor, indexes):
    with SimulatedOlt(vendor, onus=4, pon_ports=2) as olt, open_transport(target_of(olt)) as transport:
        found = CDATA.discover(transport)

    assert sorted(onu.index for onu in found.onus) == indexes
    assert {onu.pon_port for onu in found.onus} == {port.index for port in found.ports}
    assert {onu.voltage_v for onu in found.onus if onu.voltage_v} <= {
        onu.millivolts // 10 / 100 for onu in olt.onus.values()
    }


@pytest.mark.parametrize(
    ("vendor", "if_index", "index"),
    [("cdata", 0x140002, "0/0/2/7"), ("cdata_old", 0x1000E00, "0/0/2/7/#16780807")],
)
def test_an_onu_comes_and_goes_by_row_status(target_of, vendor, if_index, index):
    driver = CdataGponDriver()
    place = OnuPlace("0/0/2", 7, "XPON502CEBD2", if_index=if_index)
    with SimulatedOlt(vendor, onus=2, pon_ports=2) as olt, open_transport(target_of(olt)) as transport:
        (step,) = sets(driver.plan_authorize(place, PRESET))
        assert transport.get(list(step.done_when)) != step.done_when
        transport.set(step.pairs)
        assert transport.get(list(step.done_when)) == step.done_when
        there = next(onu for onu in CDATA.discover(transport).onus if onu.serial == place.serial)
        (removal,) = sets(driver.plan_unauthorize(place))
        transport.set(removal.pairs)
        assert transport.get(list(removal.done_when)) == removal.done_when
        with pytest.raises(SnmpError):
            transport.set(removal.pairs)

    assert there.index == index
    assert len(olt.onus) == 2


@pytest.mark.parametrize(
    ("place", "preset"),
    [
        (OnuPlace("0/0/2", 7, "XPON502CEBD2"), PRESET),
        (OnuPlace("0/0/65", 7, "XPON502CEBD2", if_index=1), PRESET),
        (OnuPlace("0/2", 7, "XPON502CEBD2", if_index=1), PRESET),
        (OnuPlace("0/0/2", 0, "XPON502CEBD2", if_index=1), PRESET),
        (OnuPlace("0/0/2", 7, "XPON502CEBD", if_index=1), PRESET),
        (OnuPlace("0/0/2", 7, "XPON502CEBD2", if_index=1), Preset()),
        (OnuPlace("0/0/2", 7, "XPON502CEBD2", if_index=1), Preset(line_profile="a", service_profile="2")),
        (
            OnuPlace("0/0/2", 7, "XPON502CEBD2", if_index=1),
            Preset(line_profile="1", service_profile="2", vlan=100),
        ),
    ],
)
def test_what_cannot_be_planned_is_said(place, preset):
    with pytest.raises(ValueError):  # noqa: PT011  (each says something else)
        CdataGponDriver().plan_authorize(place, preset)


def test_an_epon_box_is_only_read():
    with pytest.raises(NotSupportedByDevice):
        CdataEponDriver().plan_unauthorize(OnuPlace("0/0/2", 7, "E067B3ABCDEF", if_index=0x1000E00))
