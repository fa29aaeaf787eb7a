"""Worked examples of every driver: single values, indexes there and back, and none forgotten."""

import pytest

from hardware.drivers import Capability
from hardware.drivers.base import Driver
from hardware.drivers.cards import CARD_COLUMNS
from hardware.drivers.cells import BadCellError
from hardware.drivers.columns import Column, Table
from tests.hardware.drivers.golden import GOLDEN, VARIANTS


def _columns(variant: str) -> dict[str, Column]:
    return {column.name: column for column in VARIANTS[variant].columns}


def _examples(kind: str) -> list:
    return [
        pytest.param(variant, *example, id=f"{variant}-{'-'.join(map(str, example))}"[:90])
        for variant, golden in GOLDEN.items()
        for example in getattr(golden, kind)
    ]


def test_every_driver_has_examples():
    assert GOLDEN.keys() == VARIANTS.keys()


@pytest.mark.parametrize("variant", GOLDEN)
def test_every_column_has_an_example(variant):
    shown = {name for name, _, _ in GOLDEN[variant].cells}

    assert shown == {column.name for column in VARIANTS[variant].columns if column not in CARD_COLUMNS}


@pytest.mark.parametrize("variant", GOLDEN)
def test_every_column_of_another_index_has_an_example(variant):
    shown = {name for name, _, row in GOLDEN[variant].rows if row}
    twisted = {name for name, column in _columns(variant).items() if column.instance("1.2") != "1.2"}

    assert shown == twisted


@pytest.mark.parametrize(("variant", "name", "value", "meaning"), _examples("cells"))
def test_cells(variant, name, value, meaning):
    decoded = _columns(variant)[name].decode(value)

    assert decoded == meaning
    assert isinstance(decoded, type(meaning)) or isinstance(meaning, (int, float))


@pytest.mark.parametrize(("variant", "name", "value"), _examples("refused"))
def test_nonsense_is_refused(variant, name, value):
    with pytest.raises(BadCellError):
        _columns(variant)[name].decode(value)


@pytest.mark.parametrize(("variant", "index", "place"), _examples("onus"))
def test_onu_places_and_back(variant, index, place):
    driver = VARIANTS[variant]

    assert driver.place_onu(index) == place
    if place:
        assert driver.onu_row(place.index, place.index) == index


@pytest.mark.parametrize(("variant", "index", "name", "place"), _examples("ports"))
def test_port_places(variant, index, name, place):
    assert VARIANTS[variant].place_port(index, name) == place


@pytest.mark.parametrize(("variant", "index", "port"), _examples("waiting"))
def test_waiting_places(variant, index, port):
    assert VARIANTS[variant].place_waiting(index) == port


@pytest.mark.parametrize(("variant", "name", "index", "row"), _examples("rows"))
def test_rows_of_another_index_and_back(variant, name, index, row):
    column = _columns(variant)[name]

    assert column.row(index) == row
    if row:
        assert column.instance(row) == index


@pytest.mark.parametrize("variant", VARIANTS)
def test_capabilities_are_what_the_driver_has(variant):
    driver = VARIANTS[variant]
    columns = _columns(variant)
    tables = {column.table for column in driver.columns}
    planned = {
        Capability.AUTHORIZE: Driver.plan_authorize,
        Capability.UNAUTHORIZE: Driver.plan_unauthorize,
        Capability.REBOOT: Driver.plan_reboot,
    }

    able = {
        Capability.OPTICS: "onu.rx_power_dbm" in columns,
        Capability.COUNTERS: bool({"onu.up_bytes", "port.up_bytes"} & columns.keys()),
        Capability.CARDS: Table.CARD in tables,
        Capability.WAITING: Table.WAITING in tables,
        **{
            capability: getattr(type(driver), method.__name__) is not method
            for capability, method in planned.items()
        },
    }
    assert driver.capabilities == {capability for capability, has in able.items() if has}
