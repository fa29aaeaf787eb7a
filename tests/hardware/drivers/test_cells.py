"""Single values: the worked examples, the sentinels, and anything at all."""

import math
from enum import Enum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.drivers import DRIVERS, DownCause, RunStatus, huawei, ufiber
from hardware.drivers.base import Place
from hardware.drivers.cells import BadCellError, text
from hardware.snmp import Value

HUAWEI, UFIBER = DRIVERS["huawei"], DRIVERS["ufiber"]
CELLS = {
    (driver.vendor, column.name): column.decode for driver in DRIVERS.values() for column in driver.columns
}

VALUES = st.one_of(
    st.integers(-(2**63), 2**64),
    st.integers(-40_000, 40_000),
    st.sampled_from([0, -1, 65535, -65535, 65535000, -80000, 2**31 - 1, 2**31, 2**32 - 1]),
    st.binary(max_size=300),
    st.text(max_size=20),
)


def _decode(vendor: str, name: str, value: Value) -> object:
    return CELLS[vendor, name](value)


@pytest.mark.parametrize(
    ("field", "value", "meaning"),
    [
        ("rx_power_dbm", -1414, -14.14),
        ("tx_power_dbm", 213, 2.13),
        ("olt_rx_power_dbm", 8064, -19.36),
        ("olt_rx_power_dbm", 8775, -12.25),
        ("voltage_v", 3220, 3.22),
        ("temperature_c", 41, 41),
        ("bias_ma", 19, 19),
        ("distance_m", 4321, 4321),
        ("distance_m", 0, None),
        ("distance_m", -1, None),
        *((field, 2147483647, None) for field in
          ("rx_power_dbm", "tx_power_dbm", "olt_rx_power_dbm", "voltage_v", "temperature_c", "bias_ma")),
        ("run_status", 1, RunStatus.ONLINE),
        ("run_status", 2, RunStatus.OFFLINE),
        ("run_status", -1, RunStatus.UNKNOWN),
        ("last_down_cause", 2, DownCause.LOS),
        ("last_down_cause", 13, DownCause.DYING_GASP),
        ("last_down_cause", 8, DownCause.ADMIN),
        ("last_down_cause", 99, DownCause.UNKNOWN),
        ("last_down_cause", -1, None),
        ("serial", bytes.fromhex("485754439A000FFF"), "HWTC9A000FFF"),
        ("serial", bytes.fromhex("414E4F4E00000001"), "ANON00000001"),
        ("serial", b"HWTCabcd", "HWTC61626364"),  # Printable by chance, still four octets.
        ("serial", bytes(8), "0000000000000000"),
        ("description", b"Mill St 4", "Mill St 4"),
        ("description", "Calle Ñ".encode("latin-1"), "Calle Ñ"),
        ("description", "Calle Ñ".encode(), "Calle Ñ"),
        ("description", b"a\x00b\r\n", "ab"),
        ("description", b"", None),
    ],
)  # fmt: skip
def test_huawei_cells(field, value, meaning):
    assert _decode("huawei", f"onu.{field}", value) == meaning


@pytest.mark.parametrize(
    ("field", "value", "meaning"),
    [
        ("serial", b"UBNT20731f09", "UBNT20731F09"),
        ("rx_power_dbm", -2481, -24.81),
        ("rx_power_dbm", 0, None),
        ("tx_power_dbm", 228, 2.28),
        ("run_status", 2, RunStatus.OFFLINE),
        ("pon_port", 5, "5"),
        ("pon_port", 0, None),
    ],
)
def test_ufiber_cells(field, value, meaning):
    assert _decode("ufiber", f"onu.{field}", value) == meaning


@pytest.mark.parametrize(
    ("vendor", "name", "value"),
    [
        ("huawei", "onu.rx_power_dbm", b"-14.14"),
        ("huawei", "onu.rx_power_dbm", 65535),
        ("huawei", "onu.distance_m", 2**31),
        ("huawei", "onu.serial", b"HWTC"),
        ("huawei", "onu.serial", 7),
        ("huawei", "onu.up_bytes", -1),
        ("huawei", "onu.description", 7),
        ("ufiber", "onu.serial", b""),
        ("ufiber", "onu.pon_port", -3),
    ],
)
def test_nonsense_is_refused(vendor, name, value):
    with pytest.raises(BadCellError):
        _decode(vendor, name, value)


@pytest.mark.parametrize("cell", CELLS.values(), ids=[".".join(name) for name in CELLS])
@given(value=VALUES)
def test_a_cell_decodes_or_is_refused_and_nothing_else(cell, value):
    try:
        result = cell(value)
    except BadCellError:
        return
    assert result is None or isinstance(result, (int, float, str, Enum))
    if isinstance(result, float):
        assert math.isfinite(result)
        assert abs(result) < 1000
    if isinstance(result, str):
        assert result.isprintable()
        assert len(result) <= 255


@given(st.binary(max_size=400))
def test_text_is_always_fit_to_store(value):
    result = text(value)

    assert result is None or (result.isprintable() and 0 < len(result) <= 255)


@pytest.mark.parametrize(
    ("if_index", "port"),
    [
        (4194312192, "0/1/0"),  # 0xFA002000
        (4194345216, "0/5/1"),  # 0xFA00A100
        (4194304256, "0/0/1"),
        (125 << 25 | 1 << 19 | 18 << 13 | 15 << 8, "1/18/15"),
        (234938432, None),  # Ethernet 0/7/1
        (264, None),
    ],
)
def test_huawei_if_index(if_index, port):
    assert huawei.decode_if_index(if_index) == port


INDEXES = st.one_of(
    st.lists(st.integers(0, 2**32 - 1), max_size=15).map(lambda arcs: ".".join(map(str, arcs))),
    st.text(max_size=20),
)


@pytest.mark.parametrize("driver", DRIVERS.values(), ids=DRIVERS)
@given(index=INDEXES, name=st.none() | st.text(max_size=10))
def test_any_index_has_a_place_or_none(driver, index, name):
    for place in (driver.place_onu(index), driver.place_port(index, name)):
        assert place is None or (place.index and len(place.index) < 64)


def test_places():
    assert HUAWEI.place_onu("4194345216.14") == Place("0/5/1/14", pon_port="0/5/1", number=14)
    assert HUAWEI.place_onu("4194345216") is None
    assert HUAWEI.place_onu("4194345216.1.2") is None
    assert UFIBER.place_onu("12.85.66.78.84.50.48.55.51.49.102.48.57") == Place("UBNT20731F09")
    assert UFIBER.place_port("2", "pon1") == Place("1")
    assert UFIBER.place_port("0", "eth0") is None
    assert ufiber.decode_run_status(3) is RunStatus.UNKNOWN
