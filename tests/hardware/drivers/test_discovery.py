"""Discovery over the wire: whole, in part, and aborted."""

import pytest

from demo.olt import SimulatedOlt
from demo.olt.huawei import if_index
from hardware.drivers import (
    DRIVERS,
    AdminState,
    DownCause,
    DriverError,
    Pass,
    RunStatus,
    detect,
)
from hardware.snmp import SnmpTimeout, open_transport

HUAWEI, UFIBER = DRIVERS["huawei"], DRIVERS["ufiber"]


@pytest.fixture
def discover(target_of):
    def discover(olt, driver=HUAWEI, *, patience=2.0, **options):
        """`patience` is for a single try, so that a device counting its answers gives each one once."""
        with open_transport(target_of(olt, timeout_seconds=patience, retries=0)) as transport:
            return driver.discover(transport, **options)

    return discover


def test_a_huawei_is_read_as_it_is(discover):
    with SimulatedOlt("huawei", onus=70, pon_ports=2) as olt:
        online = next(onu for onu in olt.onus.values() if onu.online)
        offline = next(onu for onu in olt.onus.values() if not onu.online)
        olt.set_onu_online(offline.port, offline.onu_id, online=False, down_cause=13)
        found = discover(olt)

    assert found.failures == ()
    assert found.bad_cells == {}
    assert found.read_columns == {column.name for column in HUAWEI.columns}
    assert (found.onus_complete, found.ports_complete) == (True, True)
    assert (found.system.model, found.system.uptime_seconds) == ("MA5608T", 864000)

    assert [(port.index, port.if_index, port.name, port.onu_count) for port in found.ports] == [
        ("0/1/0", if_index(0), "GPON 0/1/0", 35),
        ("0/1/1", if_index(1), "GPON 0/1/1", 35),
    ]
    assert (found.ports[1].tx_power_dbm, found.ports[1].temperature_c, found.ports[1].is_up) == (
        7.1,
        34,
        True,
    )
    assert found.ports[0].up_bytes == sum(onu.up_bytes for onu in olt.onus.values() if onu.port == 0)

    onus = {onu.serial: onu for onu in found.onus}
    assert len(onus) == 70
    good = onus[online.serial_text]
    assert (good.index, good.pon_port, good.onu_id) == (
        f"0/1/{online.port}/{online.onu_id}",
        f"0/1/{online.port}",
        online.onu_id,
    )
    assert (good.run_status, good.admin_state) == (RunStatus.ONLINE, AdminState.ACTIVE)
    assert (good.rx_power_dbm, good.tx_power_dbm, good.olt_rx_power_dbm) == (
        round(online.rx_dbm, 2),
        round(online.tx_dbm, 2),
        round(online.olt_rx_dbm, 2),
    )
    assert (good.distance_m, good.voltage_v, good.bias_ma) == (
        online.distance_m,
        online.millivolts / 1000,
        online.bias_ma,
    )
    assert (good.up_bytes, good.down_bytes) == (online.up_bytes, online.down_bytes)
    assert (good.description, good.vendor_id) == (online.description, "HWTC")

    bad = onus[offline.serial_text]
    assert (bad.run_status, bad.last_down_cause) == (RunStatus.OFFLINE, DownCause.DYING_GASP)
    assert (bad.rx_power_dbm, bad.olt_rx_power_dbm, bad.voltage_v, bad.distance_m) == (None,) * 4
    assert {"rx_power_dbm", "distance_m"} <= bad.read


def test_a_ufiber_is_read_as_it_is(discover):
    with SimulatedOlt("ufiber", onus=30, pon_ports=4) as olt:
        online = next(onu for onu in olt.onus.values() if onu.online)
        offline = next(onu for onu in olt.onus.values() if not onu.online)
        found = discover(olt, UFIBER)

    assert [port.index for port in found.ports] == ["1", "2", "3", "4"]
    assert found.failures == ()
    onus = {onu.serial: onu for onu in found.onus}
    assert len(onus) == 30
    good, bad = onus[online.serial_text], onus[offline.serial_text]
    assert (good.index, good.pon_port, good.onu_id) == (online.serial_text, str(online.port + 1), None)
    assert (good.rx_power_dbm, good.model) == (round(online.rx_dbm, 2), "NanoG")
    assert (bad.run_status, bad.rx_power_dbm, bad.pon_port) == (RunStatus.OFFLINE, None, None)
    assert "rx_power_dbm" in bad.read
    assert "pon_port" not in bad.read  # It is still on the port it was on.
    assert "onu.pon_port" not in found.read_columns


def test_only_the_asked_passes_are_read_and_always_the_serials(discover):
    with SimulatedOlt(onus=5) as olt:
        found = discover(olt, passes={Pass.STATUS})

    assert found.onus_complete
    assert "onu.run_status" in found.read_columns
    assert not {"onu.rx_power_dbm", "onu.description"} & found.read_columns
    assert all("rx_power_dbm" not in onu.read for onu in found.onus)


def test_an_olt_that_stops_half_way_keeps_what_it_said(discover):
    with SimulatedOlt(onus=60, pon_ports=2, fault="half-then-stop") as olt:
        found = discover(olt, patience=0.1)

    failed = {failure.column for failure in found.failures}
    assert len(found.onus) == 60
    assert found.onus_complete
    assert "onu.serial" in found.read_columns
    assert "onu.rx_power_dbm" in failed
    assert not failed & found.read_columns
    assert failed | found.read_columns == {column.name for column in HUAWEI.columns}
    assert all(onu.rx_power_dbm is None and "rx_power_dbm" not in onu.read for onu in found.onus)


def test_a_column_cut_short_marks_each_onu_by_itself(discover):
    # The system group, seven port columns of one answer, three ONU columns of three, then two answers.
    with SimulatedOlt(onus=60, pon_ports=2, fault="stop-after=19") as olt:
        found = discover(olt, patience=0.5)

    cut = found.failures[0]
    assert (cut.column, cut.rows) == ("onu.description", 50)
    assert sum("description" in onu.read for onu in found.onus) == 50
    assert all({"serial", "line_profile"} <= onu.read for onu in found.onus)


def test_a_silent_rest_is_given_up_at_once(discover):
    with SimulatedOlt(onus=10, fault="stop-after=5") as olt:
        found = discover(olt, patience=0.5)

    asked = [failure for failure in found.failures if not failure.reason.startswith("not asked")]
    assert len(asked) == 1
    assert len(found.failures) > 10


def test_serials_cut_short_leave_the_list_open(discover):
    with SimulatedOlt(onus=200, pon_ports=2) as olt:
        # The system group, seven port columns of one answer, and a first answer of serials.
        olt.fault = "stop-after=9"
        found = discover(olt, patience=0.5)

    assert 0 < len(found.onus) < 200
    assert not found.onus_complete


@pytest.mark.parametrize("fault", ["genErr", "non-increasing"])
def test_a_column_at_fault_does_not_stop_the_rest(discover, fault):
    with SimulatedOlt(onus=60, pon_ports=2, fault=fault) as olt:
        found = discover(olt)

    assert found.failures
    assert all(not failure.reason.startswith("not asked") for failure in found.failures)
    assert "port.name" in found.read_columns


def test_an_empty_olt_is_complete(discover):
    with SimulatedOlt(onus=0, pon_ports=2) as olt:
        found = discover(olt)

    assert found.onus == []
    assert found.onus_complete
    assert len(found.ports) == 2


def test_serials_missing_where_there_are_onus_is_a_failure(discover):
    with SimulatedOlt(onus=4, pon_ports=1) as olt:
        for onu in range(4):
            olt.device.mib.remove(f"1.3.6.1.4.1.2011.6.128.1.1.2.43.1.3.{if_index(0)}.{onu}")
        found = discover(olt)

    assert not found.onus_complete
    assert [failure.column for failure in found.failures] == ["onu.serial"]
    assert [onu.index for onu in found.onus] == [f"0/1/0/{onu}" for onu in range(4)]


def test_progress_is_told_per_column_and_while_waiting(discover):
    told = []
    with SimulatedOlt(onus=60, pon_ports=2) as olt:
        discover(olt, on_progress=lambda *news: told.append(news))

    total = len(HUAWEI.columns)
    assert [done for done, _, _ in told] == [*range(total), total]
    assert {of for _, of, _ in told} == {total}


def test_progress_can_abort(discover):
    class Cancelled(Exception):
        pass

    def cancel(done, total, message):
        if done == 2:
            raise Cancelled

    with SimulatedOlt(onus=5) as olt, pytest.raises(Cancelled):
        discover(olt, on_progress=cancel)


def test_a_dead_olt_is_a_timeout(discover):
    with SimulatedOlt(onus=1, fault="silent") as olt, pytest.raises(SnmpTimeout):
        discover(olt, patience=0.1)


def test_another_vendor_is_refused(discover):
    with SimulatedOlt("ufiber", onus=1) as olt, pytest.raises(DriverError, match="not a huawei OLT"):
        discover(olt, HUAWEI)


@pytest.mark.parametrize(
    ("sys_object_id", "sys_descr", "vendor"),
    [
        ("1.3.6.1.4.1.2011.2.80.8", "Huawei Integrated Access Software", "huawei"),
        ("1.3.6.1.4.1.2011.2.123", "", "huawei"),
        ("1.3.6.1.4.1.2011.2.999", "Huawei Integrated Access Software", "huawei"),
        ("1.3.6.1.4.1.2011.2.23.96", "Huawei Versatile Routing Platform", None),
        ("1.3.6.1.4.1.41112.1.5", "EdgeOS v4.4.2", "ufiber"),
        ("1.3.6.1.4.1.4413", "UISP Fiber OLT XGS", "ufiber"),
        ("1.3.6.1.4.1.4413", "FASTPATH Switching", None),
        ("1.3.6.1.4.1.41112.1.50", "EdgeOS", None),
        ("1.3.6.1.4.1.3902.1082.1001.320.2.1", "C320 Version V2.1.0 Software, ...", "zte"),
        ("1.3.6.1.4.1.3902.1082.1001.300.2.1", "C300 Version V2.1.0", "zte"),
        ("1.3.6.1.4.1.3902.1015.300.3.1", "", "zte"),
        ("1.3.6.1.4.1.3902.1015.320.1.2", "ZTE", "zte"),
        ("1.3.6.1.4.1.3902.1082.1001.620.1.1", "ZXA10 C620, ZTE ZXA10 Software Version: V1.2.2", "zte"),
        ("1.3.6.1.4.1.3902.3.100.40", "ZXR10 ROS Version V4.8", None),
        ("1.3.6.1.4.1.5875.800.1001.11", "AN5516-01", "fiberhome"),
        ("1.3.6.1.4.1.5875.800.1001.11", "AN5516-04B", "fiberhome"),
        ("1.3.6.1.4.1.5875.800.1001.12", "AN5516-04", "fiberhome"),
        ("1.3.6.1.4.1.5875.800.1001.2", "AN5116-06B", None),  # Numbers its ONUs otherwise.
        ("1.3.6.1.4.1.37950.1.1.5.10.14.1", "V1600D", "vsol"),
        ("1.3.6.1.4.1.37950.1.1.5.10.14.1", "V1600G1-B", "vsol"),
        ("1.3.6.1.4.1.379501", "V1600D", None),
        ("1.3.6.1.4.1.3320.1.390.0", "BDCOM(tm) GP3600-16B Software, Version 74104", "bdcom"),
        ("1.3.6.1.4.1.3320.1.294.0", "BDCOM(tm) P3310C Software, Version 10.1.0E", "bdcom"),
        ("1.3.6.1.4.1.3320.1.2010.0", "BDCOM(tm) P3612-2TE Software, Version 10.1.0F", "bdcom"),
        ("1.3.6.1.4.1.3320.1.299.0", "BDCOM(tm) S2528-B Software, Version 2.1.2A", None),
        ("1.3.6.1.4.1.17409", "olt", "cdata"),
        ("1.3.6.1.4.1.17409", "C-Data System Software Device Model: FD1608S-B1-NDA0", "cdata"),
        ("1.3.6.1.4.1.34592", "FD1104SN", None),  # Its tables are others.
        # Known, and without a driver.
        ("1.3.6.1.4.1.2011.2.185", "Huawei Integrated Access Software", "huawei"),
        ("1.3.6.1.4.1.637.61.1", "R6.2.04m NOKIA ISAM", None),
        ("1.3.6.1.4.1.8886.1.250", "Raisecom ROAP", None),
        ("1.3.6.1.4.1.35265.1.22", "ELTEX LTP-8X", None),
        ("1.3.6.1.4.1.35265.1.70", "ELTEX LTP-16N", None),
        ("1.3.6.1.4.1.3709.1.2.137", "Datacom DM4610", None),
        ("1.3.6.1.4.1.10072.2.20", "GWD", None),
        ("1.3.6.1.4.1.65268.1.3.34", "SNR", None),
        ("", "", None),
    ],
)
def test_detection(sys_object_id, sys_descr, vendor):
    driver = detect(sys_object_id, sys_descr)

    assert (driver and driver.vendor) == vendor
