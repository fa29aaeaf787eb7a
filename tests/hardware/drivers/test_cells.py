"""Any value and any index at all: a driver decodes it or refuses it, and nothing else."""

import math
from enum import Enum

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware.drivers import DRIVERS, NotSupportedByDevice, OnuPlace, Preset, huawei
from hardware.drivers.cells import BadCellError, text
from hardware.drivers.provisioning import CliStep
from tests.hardware.drivers.golden import VARIANTS

COLUMNS = {f"{name}.{column.name}": column for name, driver in VARIANTS.items() for column in driver.columns}
# Columns share decoders and ways to index: each is tried once, under the name of a column that has it.
CELLS = {column.decode: name for name, column in COLUMNS.items()}
INDEXINGS = {(column.row, column.instance): name for name, column in COLUMNS.items()}

VALUES = st.one_of(
    st.integers(-(2**63), 2**64),
    st.integers(-40_000, 40_000),
    st.integers(-10, 10),
    st.sampled_from([0, -1, 65535, -65535, 65535000, -80000, 2**31 - 1, 2**31, 2**32 - 1]),
    st.binary(max_size=300),
    st.binary(min_size=6, max_size=8),
    st.text(max_size=20),
    st.text("0123456789.-+ dBmW(),:infea", max_size=24).map(str.encode),
)
INDEXES = st.one_of(
    st.lists(st.integers(0, 2**32 - 1), max_size=15).map(lambda arcs: ".".join(map(str, arcs))),
    # Numbers near those that mean something somewhere.
    st.tuples(
        st.sampled_from([4194304000, 0x10010000, 0x11010000, 11 << 25, 0x01000000, 18 << 26, 0]),
        st.integers(0, 2**22),
        st.lists(st.integers(0, 300), max_size=2),
    ).map(lambda parts: ".".join(map(str, (parts[0] + parts[1], *parts[2])))),
    st.text(max_size=20),
)
PLACES = st.one_of(
    st.lists(st.integers(0, 300), min_size=1, max_size=5).map(lambda parts: "/".join(map(str, parts))),
    st.text("0123456789/.:-", max_size=20),
    st.text(max_size=20),
)
NAMES = st.text(max_size=20)


@pytest.mark.parametrize("cell", CELLS, ids=CELLS.values())
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


@pytest.mark.parametrize("driver", VARIANTS.values(), ids=VARIANTS)
@given(index=INDEXES, name=st.none() | st.text(max_size=10))
def test_any_index_has_a_place_or_none(driver, index, name):
    for place in (driver.place_onu(index), driver.place_port(index, name)):
        assert place is None or (place.index and len(place.index) < 64)
        assert place is None or place.number is None or 0 <= place.number < 2**32
    port = driver.place_waiting(index)
    assert port is None or 0 < len(port) < 32


@pytest.mark.parametrize("driver", VARIANTS.values(), ids=VARIANTS)
@given(index=INDEXES)
def test_a_place_leads_back_to_itself(driver, index):
    place = driver.place_onu(index)
    if place is None:
        return

    row = driver.onu_row(place.index, place.index)

    assert row is not None
    assert driver.place_onu(row) == place


@pytest.mark.parametrize("driver", VARIANTS.values(), ids=VARIANTS)
@given(index=PLACES, serial=NAMES)
def test_any_place_has_a_row_or_none(driver, index, serial):
    row = driver.onu_row(index, serial)

    assert row is None or all(arc.isascii() and arc.isdecimal() for arc in row.split("."))


@pytest.mark.parametrize(("row_of", "instance_of"), INDEXINGS, ids=INDEXINGS.values())
@settings(max_examples=500)
@given(index=INDEXES)
def test_any_index_of_a_column_belongs_to_a_row_or_none(row_of, instance_of, index):
    row = row_of(index)
    instance_of(index)

    if row is not None:
        assert row_of(instance_of(row)) == row


@pytest.mark.parametrize("driver", DRIVERS.values(), ids=DRIVERS)
@given(sys_object_id=st.text("0123456789.", max_size=40), sys_descr=st.text(max_size=60))
def test_any_system_is_this_vendors_or_not(driver, sys_object_id, sys_descr):
    for prefix in ("", "1.3.6.1.4.1."):
        assert driver.matches(prefix + sys_object_id, sys_descr) in (True, False)
        model = driver.model(prefix + sys_object_id, sys_descr)
        assert model is None or 0 < len(model) <= 80


@pytest.mark.parametrize("driver", VARIANTS.values(), ids=VARIANTS)
@given(command=st.text(max_size=40), answer=st.text(max_size=400))
def test_any_answer_of_a_command_line_is_understood_or_not(driver, command, answer):
    for begin in ("", "show gpon onu by sn ", "display ont info ", "display ont autofind "):
        rows = driver.read_answer(begin + command, answer)
        assert rows is None or isinstance(rows, list)


WORDS = st.one_of(
    NAMES, st.sampled_from(["", "10", "1G", "HWTC9A000FFF", "ZTEGC1234567", "x\nreboot", "a;b", 'a"b'])
)


@pytest.mark.parametrize("driver", VARIANTS.values(), ids=VARIANTS)
@given(
    place=st.builds(
        OnuPlace,
        pon_port=PLACES | st.sampled_from(["0/1/0", "1/2/1", "11/3"]),
        onu_id=st.integers(0, 200),
        serial=WORDS,
        description=WORDS,
    ),
    preset=st.builds(
        Preset,
        line_profile=WORDS,
        service_profile=WORDS,
        onu_type=WORDS,
        tcont_profile=WORDS,
        vlan=st.none() | st.integers(1, 4094),
        user_vlan=st.none() | st.integers(1, 4094),
        native_vlan_port=st.none() | st.integers(1, 4),
    ),
)
def test_a_plan_types_nothing_but_plain_commands(driver, place, preset):
    for planner in (driver, driver.without_cli()):
        for plan in (
            lambda: planner.plan_authorize(place, preset),  # noqa: B023
            lambda: planner.plan_unauthorize(place),  # noqa: B023
            lambda: planner.plan_reboot(place),  # noqa: B023
        ):
            try:
                steps = plan()
            except (ValueError, NotSupportedByDevice):
                continue
            for step in steps:
                if isinstance(step, CliStep):
                    for command in (*step.commands, *step.undo, step.check):
                        assert command.isascii()
                        assert command.isprintable()
                        assert not set(command.replace('desc "', "").rstrip('"')) & set("\"'?;|!\\`$&<>{}")
