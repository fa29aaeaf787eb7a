"""BDCOM: ONUs under numbers of no order, which of them wait, and what is SET."""

import pytest

from demo.olt import SimulatedOlt
from demo.olt.bdcom import BdcomGponOlt
from hardware.drivers import DRIVERS, DownCause, NotSupportedByDevice, OnuPlace, Pass, Preset
from hardware.drivers.bdcom import BdcomEponDriver, BdcomGponDriver
from hardware.snmp import SnmpError, open_transport
from tests.hardware.drivers.steps import sets

BDCOM = DRIVERS["bdcom"]
IF_DESCR = "1.3.6.1.2.1.2.2.1.2"


@pytest.mark.parametrize(("vendor", "dialect"), [("bdcom_gpon", "gpon"), ("bdcom_epon", "epon")])
def test_the_tree_is_told_by_the_model(target_of, vendor, dialect):
    with SimulatedOlt(vendor, onus=0, pon_ports=2) as olt, open_transport(target_of(olt)) as transport:
        found = BDCOM.discover(transport)

    assert (found.dialect, found.onus_complete, found.failures) == (dialect, True, ())


def test_an_onu_is_found_again_by_the_number_in_its_index(target_of):
    with SimulatedOlt("bdcom_gpon", onus=4, pon_ports=2) as olt, open_transport(target_of(olt)) as transport:
        olt.remove_onu(0, 0)
        olt.add_onu(0)
        onus = {(onu.pon_port, onu.onu_id): onu for onu in BDCOM.discover(transport).onus}
        added = onus["0/1", 1]
        assert added.serial
        alone = BdcomGponDriver().read_onu(
            transport,
            index=added.index,
            serial=added.serial,
            passes={Pass.STATUS, Pass.INVENTORY},
        )

    # The fifth number that was given out, though it is the first ONU of its port.
    assert added.index == "0/1/1/#1183"
    assert alone
    assert (alone.index, alone.pon_port, alone.onu_id) == ("0/1/1/#1183", "0/1", 1)
    assert (alone.description, alone.up_bytes) == (added.description, added.up_bytes)


def test_an_onu_whose_interface_has_no_name_is_left_out_and_the_list_open(target_of):
    with SimulatedOlt("bdcom_gpon", onus=2, pon_ports=1) as olt, open_transport(target_of(olt)) as transport:
        olt.device.mib.remove(f"{IF_DESCR}.1180")
        found = BDCOM.discover(transport)

    assert [onu.index for onu in found.onus] == ["0/1/1/#1179"]
    assert (found.onus_complete, found.bad_cells) == (False, {"onu.index": 1})


def test_ports_count_what_is_on_and_what_is_off(target_of):
    with SimulatedOlt("bdcom_gpon", onus=5, pon_ports=1) as olt, open_transport(target_of(olt)) as transport:
        olt.set_onu_online(0, 0, online=False, down_cause=1)
        found = BDCOM.discover(transport)

    assert [(port.onu_count, port.tx_power_dbm, port.temperature_c) for port in found.ports] == [(5, 4.5, 34)]
    assert found.onus[0].last_down_cause == DownCause.LOS


def test_an_onu_kept_off_for_another_reason_does_not_wait(target_of):
    with SimulatedOlt("bdcom_gpon", onus=1, pon_ports=2) as olt, open_transport(target_of(olt)) as transport:
        assert isinstance(olt.device, BdcomGponOlt)
        for number, reason in ((1, 1), (2, 2), (3, 3), (4, 6)):
            olt.device.add_waiting(1, b"ABCD" + bytes([0, 0, 0, number]), number=number, reason=reason)
        waiting = BDCOM.discover(transport).waiting

    assert [(onu.pon_port, onu.serial) for onu in waiting] == [("0/2", "ABCD00000001")]


def test_an_onu_comes_and_goes_by_its_binding(target_of):
    driver = BdcomGponDriver()
    with SimulatedOlt("bdcom_gpon", onus=2, pon_ports=2) as olt, open_transport(target_of(olt)) as transport:
        place = OnuPlace("0/2", 7, "HWTC12345678", if_index=111)
        (step,) = sets(driver.plan_authorize(place, Preset()))
        assert transport.get(list(step.done_when)) != step.done_when
        transport.set(step.pairs)
        assert transport.get(list(step.done_when)) == step.done_when
        there = BDCOM.discover(transport).onus[-1]
        (removal,) = sets(driver.plan_unauthorize(place))
        transport.set(removal.pairs)
        assert transport.get(list(removal.done_when)) == removal.done_when
        with pytest.raises(SnmpError):
            transport.set(removal.pairs)

    assert (there.index, there.serial) == ("0/2/7/#1181", "HWTC12345678")
    assert len(olt.onus) == 2


@pytest.mark.parametrize(
    ("vendor", "driver"), [("bdcom_gpon", BdcomGponDriver()), ("bdcom_epon", BdcomEponDriver())]
)
def test_an_onu_is_restarted_and_removed(target_of, vendor, driver):
    with SimulatedOlt(vendor, onus=2, pon_ports=1) as olt, open_transport(target_of(olt)) as transport:
        onu = BDCOM.discover(transport).onus[1]
        assert onu.pon_port
        assert onu.onu_id is not None
        assert onu.serial
        place = OnuPlace(onu.pon_port, onu.onu_id, onu.serial, if_index=110, index=onu.index)
        (reboot,) = sets(driver.plan_reboot(place))
        transport.set(reboot.pairs)
        restarted = olt.onus[0, 1].down_cause
        (removal,) = sets(driver.plan_unauthorize(place))
        transport.set(removal.pairs)
        after = transport.get(list(removal.done_when))

    assert restarted == 9
    assert after == removal.done_when
    assert list(olt.onus) == [(0, 0)]


@pytest.mark.parametrize(
    ("place", "preset"),
    [
        (OnuPlace("0/2", 7, "HWTC12345678"), Preset()),
        (OnuPlace("0/2", 7, "HWTC1234567", if_index=111), Preset()),
        (OnuPlace("0/2", 7, "HWTC12345678\n", if_index=111), Preset()),
        (OnuPlace("0/2", 7, "HWTC12345678", if_index=111), Preset(vlan=100)),
    ],
)
def test_what_cannot_be_planned_is_said(place, preset):
    with pytest.raises(ValueError):  # noqa: PT011  (each says something else)
        BdcomGponDriver().plan_authorize(place, preset)


def test_an_onu_that_was_never_read_cannot_be_restarted_nor_an_address_that_is_none_removed():
    with pytest.raises(ValueError, match="not been read"):
        BdcomGponDriver().plan_reboot(OnuPlace("0/2", 7, "HWTC12345678", if_index=111))
    with pytest.raises(ValueError, match="no MAC address"):
        BdcomEponDriver().plan_unauthorize(OnuPlace("0/2", 7, "HWTC12345678", if_index=111))
    with pytest.raises(NotSupportedByDevice):
        BdcomEponDriver().plan_authorize(OnuPlace("0/2", 7, "FCFA20ABCDEF", if_index=111), Preset())
