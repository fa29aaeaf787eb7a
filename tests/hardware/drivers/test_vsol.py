"""VSOL: which tree a device answers, why an ONU is down, and what is SET."""

import pytest

from demo.olt import SimulatedOlt, Vendor
from hardware.drivers import DRIVERS, DownCause, NotSupportedByDevice, OnuPlace, RunStatus, read_system
from hardware.drivers.vsol import VsolEponDriver, VsolGponDriver
from hardware.snmp import SnmpError, SnmpTimeout, open_transport
from tests.hardware.drivers.steps import sets

VSOL = DRIVERS["vsol"]


@pytest.fixture
def choose(target_of):
    def choose(olt, **options):
        with open_transport(target_of(olt, timeout_seconds=0.3, retries=0)) as transport:
            return VSOL.choose(transport, read_system(transport), **options)

    return choose


@pytest.mark.parametrize(
    ("vendor", "dialect"), [("vsol_gpon", "gpon"), ("vsol_epon", "epon"), ("vsol_epon_25", "epon-25")]
)
def test_the_tree_is_found_and_remembered(choose, target_of, vendor, dialect):
    with SimulatedOlt(vendor, onus=2, pon_ports=1) as olt:
        assert choose(olt).dialect == dialect
        with open_transport(target_of(olt)) as transport:
            assert VSOL.discover(transport).dialect == dialect
        before = olt.requests
        assert choose(olt, remembered=dialect).dialect == dialect
        assert olt.requests == before + 1  # The system group alone.


def test_an_empty_gpon_box_is_known_by_its_name_and_an_empty_epon_box_asked_again(target_of):
    dialects: dict[Vendor, str] = {"vsol_gpon": "gpon", "vsol_epon": ""}
    for vendor, dialect in dialects.items():
        with SimulatedOlt(vendor, onus=0, pon_ports=1) as olt, open_transport(target_of(olt)) as transport:
            found = VSOL.discover(transport)
        assert (found.dialect, found.onus_complete, len(found.ports)) == (dialect, True, 1)


def test_a_box_that_falls_silent_when_asked_is_a_timeout(choose):
    with (
        SimulatedOlt("vsol_epon", onus=2, pon_ports=1, fault="stop-after=1") as olt,
        pytest.raises(SnmpTimeout),
    ):
        choose(olt)


@pytest.mark.parametrize("vendor", ["vsol_gpon", "vsol_epon"])
def test_a_cut_fibre_is_told_from_a_power_failure(target_of, vendor):
    with SimulatedOlt(vendor, onus=2, pon_ports=1) as olt, open_transport(target_of(olt)) as transport:
        olt.set_onu_online(0, 0, online=False, down_cause=13)
        olt.set_onu_online(0, 1, online=False, down_cause=1)
        causes = [onu.last_down_cause for onu in VSOL.discover(transport).onus]

    assert causes == [DownCause.DYING_GASP, DownCause.LOS]


def test_a_model_without_optics_says_nothing_of_them(target_of):
    with SimulatedOlt("vsol_gpon", onus=2, pon_ports=1) as olt, open_transport(target_of(olt)) as transport:
        for row in ("1.1", "1.2"):
            for column in range(3, 8):
                olt.device.mib.remove(f"1.3.6.1.4.1.37950.1.1.6.1.1.3.1.{column}.{row}")
        found = VSOL.discover(transport)

    assert (found.failures, found.onus_complete) == ((), True)
    assert all("rx_power_dbm" not in onu.read for onu in found.onus)
    assert "onu.rx_power_dbm" not in found.read_columns


def test_both_places_of_a_ports_power_are_read(target_of):
    for vendor in ("vsol_gpon", "vsol_epon"):
        with SimulatedOlt(vendor, onus=2, pon_ports=2) as olt, open_transport(target_of(olt)) as transport:
            ports = VSOL.discover(transport).ports
        assert [(port.index, port.tx_power_dbm, port.temperature_c) for port in ports] == [
            ("0/1", 6.56, 27.84),
            ("0/2", 6.56, 27.84),
        ]


def test_an_onu_is_restarted_and_removed_by_set(target_of):
    driver = VsolGponDriver()
    with SimulatedOlt("vsol_gpon", onus=2, pon_ports=1) as olt, open_transport(target_of(olt)) as transport:
        serial = olt.onus[0, 1].serial_text
        place = OnuPlace("0/1", 2, serial)
        (reboot,) = sets(driver.plan_reboot(place))
        transport.set(reboot.pairs)
        restarted = olt.onus[0, 1].down_cause
        (removal,) = sets(driver.plan_unauthorize(place))
        before = transport.get(list(removal.done_when))
        transport.set(removal.pairs)
        after = transport.get(list(removal.done_when))
        with pytest.raises(SnmpError):
            transport.set(removal.pairs)

    assert restarted == 9
    assert list(before.values()) == [serial.encode()]
    assert after == removal.done_when
    assert list(olt.onus) == [(0, 0)]


@pytest.mark.parametrize("port", ["1", "0/0", "0/65", "1/1", "0/1/1", "0.1", "x", "0/١"])
def test_a_place_that_cannot_be_is_refused(port):
    for plan in (VsolGponDriver().plan_reboot, VsolGponDriver().plan_unauthorize):
        with pytest.raises(ValueError, match="no PON port"):
            plan(OnuPlace(port, 1, "GPON00112233"))


def test_an_epon_box_is_only_read():
    with pytest.raises(NotSupportedByDevice):
        VsolEponDriver().plan_unauthorize(OnuPlace("0/1", 1, "001D20ABCDEF"))


def test_an_onu_that_logs_in_is_not_yet_online(target_of):
    with SimulatedOlt("vsol_gpon", onus=1, pon_ports=1) as olt, open_transport(target_of(olt)) as transport:
        olt.device.mib.put_integer("1.3.6.1.4.1.37950.1.1.6.1.1.1.1.5.1.1", 0)
        (onu,) = VSOL.discover(transport).onus

    assert onu.run_status == RunStatus.OFFLINE
