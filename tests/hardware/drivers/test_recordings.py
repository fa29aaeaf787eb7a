"""Conformance: the drivers against what real OLTs answered. The recordings are not part of the project."""

from typing import cast

import pytest

from demo.olt import SimulatedOlt
from hardware.drivers import Pass, RunStatus, detect, read_system
from hardware.snmp import open_transport


@pytest.fixture
def discover(recordings, target_of):
    def discover(name):
        path = recordings / name
        if not path.is_file():
            pytest.skip(f"the recording {name} is not among those in {recordings.name}")
        with SimulatedOlt(replay=path) as olt, open_transport(target_of(olt)) as transport:
            system = read_system(transport)
            driver = detect(system.sys_object_id, system.sys_descr)
            assert driver
            return driver.vendor, driver.discover(transport)

    return discover


# Recorded without the column of serials: its ONUs are seen and cannot be told apart.
WITHOUT_SERIALS = {"librenms_vsolution_v1600d.snmprec"}


def test_every_recording_is_read_without_a_bad_cell_or_has_no_driver(recordings, target_of):
    read = set()
    for path in sorted(recordings.glob("*.snmp*")):
        with SimulatedOlt(replay=path) as olt, open_transport(target_of(olt)) as transport:
            system = read_system(transport)
            driver = detect(system.sys_object_id, system.sys_descr)
            if driver:
                found = driver.discover(transport)
                failed = [failure.column for failure in found.failures]
                assert failed == (["onu.serial"] if path.name in WITHOUT_SERIALS else []), path.name
                assert found.bad_cells == {}, path.name
                read.add(path.name)

    assert read


def test_an_onu_of_a_recording_reads_alone_as_it_does_among_all(recordings, target_of):
    for path in sorted(recordings.glob("*.snmp*")):
        with SimulatedOlt(replay=path) as olt, open_transport(target_of(olt)) as transport:
            system = read_system(transport)
            if not (driver := detect(system.sys_object_id, system.sys_descr)):
                continue
            found = driver.discover(transport)
            chosen = driver.choose(transport, found.system, remembered=found.dialect)
            for onu in found.onus[:40]:
                serial = cast(str, onu.serial)  # One of `WITHOUT_SERIALS` is found again by having none.
                alone = chosen.read_onu(transport, index=onu.index, serial=serial, passes=set(Pass))
                assert alone is not None, (path.name, onu.index)
                # A column that ended without a row says nothing of an ONU, and so does a cell that is not there.
                assert {name: getattr(alone, name) for name in alone.read} == {
                    name: getattr(onu, name) for name in alone.read
                }, (path.name, onu.index)
                assert alone.read <= onu.read


def test_huawei_with_three_onus(discover):
    vendor, found = discover("centreon_huawei-gpon.snmpwalk")

    assert vendor == "huawei"
    assert [(onu.index, onu.serial, onu.description) for onu in found.onus] == [
        ("0/1/0/1", "ANON00000001", "xDSL ANO 1"),
        ("0/1/0/2", "ANON00000002", "xDSL ANO 2"),
        ("0/1/0/3", "ANON00000003", "DSLAM ANO 3"),
    ]
    first = found.onus[0]
    assert (first.rx_power_dbm, first.tx_power_dbm, first.olt_rx_power_dbm) == (-14.14, 2.13, -19.36)
    assert (first.temperature_c, first.voltage_v) == (41, 3.22)
    assert (first.up_bytes, first.down_bytes) == (136888321822, 722546186186)
    # The row status says active; nothing here says whether they are online.
    assert {onu.run_status for onu in found.onus} == {RunStatus.UNKNOWN}
    assert all("run_status" not in onu.read and "distance_m" not in onu.read for onu in found.onus)


def test_huawei_with_ports_and_no_onus(discover):
    vendor, found = discover("librenms_smartax.snmprec")

    assert (vendor, found.system.model, len(found.ports), found.onus) == ("huawei", "MA5603T", 32, [])
    assert [port.index for port in found.ports] == [
        f"0/{slot}/{port}" for slot in (0, 1) for port in range(16)
    ]
    assert all(port.name == f"GPON {port.index}" for port in found.ports)
    assert (found.ports[0].tx_power_dbm, found.ports[0].temperature_c, found.ports[0].onu_count) == (
        7.11,
        28,
        0,
    )


def test_ufiber_with_29_onus(discover):
    vendor, found = discover("librenms_edgeosolt.snmprec")

    online = [onu for onu in found.onus if onu.run_status == RunStatus.ONLINE]
    assert (vendor, len(found.onus), len(online), len(found.ports)) == ("ufiber", 29, 16, 8)
    assert all(onu.rx_power_dbm is not None and onu.pon_port for onu in online)
    assert all(onu.rx_power_dbm is None for onu in found.onus if onu not in online)
    first = found.onus[0]
    assert (first.serial, first.pon_port, first.rx_power_dbm, first.tx_power_dbm) == (
        "UBNT20731888",
        "2",
        -24.81,
        2.28,
    )
    assert [port.is_up for port in found.ports] == [True] * 5 + [False] * 3


def test_a_vsol_with_16_onus(discover):
    vendor, found = discover("librenms_vsolution_v1600d.snmprec")

    assert (vendor, found.system.model, found.onus_complete) == ("vsol", "V1600D", False)
    assert [(port.index, port.if_index, port.name, port.is_up) for port in found.ports] == [
        ("0/1", 5, "EPON0/1", True),
        ("0/2", 6, "EPON0/2", False),
    ]
    assert (found.ports[0].tx_power_dbm, found.ports[0].temperature_c) == (6.56, 27.84)
    assert (found.ports[0].up_bytes, found.ports[1].up_bytes) == (68750140951, 3584)
    assert [onu.index for onu in found.onus] == [f"0/1/{number}" for number in range(1, 17)]
    first = found.onus[0]
    assert (first.rx_power_dbm, first.tx_power_dbm) == (-14.61, 3.77)
    assert (first.temperature_c, first.voltage_v, first.bias_ma) == (30.67, 3.27, 11.65)
    assert min(onu.rx_power_dbm for onu in found.onus) == -28.24


def test_a_bdcom_with_ports_and_interfaces_of_onus(discover):
    vendor, found = discover("librenms_bdcom.snmprec")

    assert (vendor, found.system.model, found.dialect, found.onus) == ("bdcom", "GP3600-16B", "gpon", [])
    assert [(port.index, port.if_index) for port in found.ports] == [
        (f"0/{number}", 109 + number) for number in range(1, 17)
    ]
    assert [port.onu_count for port in found.ports] == [0, 51, 0, 13] + [0] * 12
    assert found.ports[0].up_bytes == 46253109


def test_where_a_bdcoms_onus_are_is_told_by_their_names(recordings, target_of):
    """The recording has their interfaces alone: serials are added to some."""
    path = recordings / "librenms_bdcom.snmprec"
    with SimulatedOlt(replay=path) as olt, open_transport(target_of(olt)) as transport:
        for number in (1179, 1182, 1184, 1380):
            olt.device.mib.put_octets(f"1.3.6.1.4.1.3320.10.3.3.1.2.{number}", b"HWTC:%08X" % number)
        system = read_system(transport)
        driver = detect(system.sys_object_id, system.sys_descr)
        assert driver
        found = driver.discover(transport)

    assert [(onu.index, onu.pon_port, onu.onu_id, onu.serial) for onu in found.onus] == [
        ("0/2/1/#1179", "0/2", 1, "HWTC0000049B"),
        ("0/2/4/#1182", "0/2", 4, "HWTC0000049E"),
        ("0/2/3/#1184", "0/2", 3, "HWTC000004A0"),
        ("0/4/1/#1380", "0/4", 1, "HWTC00000564"),
    ]
    assert all(onu.up_bytes is not None for onu in found.onus)
