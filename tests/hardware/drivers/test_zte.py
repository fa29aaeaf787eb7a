"""ZTE: which tree a device answers, what is typed at it, and what is SET."""

import re

import pytest

from demo.olt import SimulatedOlt
from demo.olt.zte import ZteC300Olt
from hardware.drivers import DRIVERS, NotSupportedByDevice, OnuPlace, Preset, read_system
from hardware.drivers.zte import ZteC300Driver, ZteC320V2Driver, ZteC600Driver
from hardware.snmp import SnmpTimeout, open_transport
from tests.hardware.drivers.steps import sets, typed

ZTE = DRIVERS["zte"]
PLACE = OnuPlace(pon_port="1/2/1", onu_id=3, serial="ZTEGC1234567", description="Mill St 4")
PRESET = Preset(onu_type="ZTE-F660", tcont_profile="UP-100M", vlan=100)


class NewFirmwareWithOldTables(ZteC300Olt):
    """A C320 that calls itself 2.1 and answers below 1012, as one tool's author found."""

    sys_object_id = "1.3.6.1.4.1.3902.1082.1001.320.2.1"
    sys_descr = "C320 Version V2.1.0 Software"


@pytest.fixture
def choose(target_of):
    def choose(olt, **options):
        with open_transport(target_of(olt, timeout_seconds=0.3, retries=0)) as transport:
            return ZTE.choose(transport, read_system(transport), **options)

    return choose


@pytest.mark.parametrize(
    ("vendor", "dialect"), [("zte_c300", "1012"), ("zte_c320", "1082"), ("zte_c600", "c600")]
)
def test_the_tree_is_found_by_asking(choose, vendor, dialect):
    with SimulatedOlt(vendor, onus=2, pon_ports=1) as olt:
        assert choose(olt).dialect == dialect


def test_the_tree_that_answers_counts_more_than_what_the_firmware_says(choose):
    with SimulatedOlt("zte_c320", onus=0, pon_ports=1) as olt:
        olt.agent.device = NewFirmwareWithOldTables(onus=2, pon_ports=1, seed=1)
        assert choose(olt).dialect == "1012"


@pytest.mark.parametrize(("vendor", "dialect"), [("zte_c300", "1012"), ("zte_c320", "1082")])
def test_an_empty_olt_is_taken_for_what_its_firmware_says_and_asked_again(choose, target_of, vendor, dialect):
    with SimulatedOlt(vendor, onus=0, pon_ports=1) as olt:
        chosen = choose(olt)
        with open_transport(target_of(olt)) as transport:
            found = ZTE.discover(transport)

    assert chosen.dialect == dialect
    assert found.dialect == ""


def test_a_c600_is_known_by_its_name_empty_or_not(choose, target_of):
    with SimulatedOlt("zte_c600", onus=0, pon_ports=1) as olt:
        chosen, asked = choose(olt, remembered="1012"), olt.requests
        with open_transport(target_of(olt)) as transport:
            found = ZTE.discover(transport)

    assert (chosen.dialect, asked) == ("c600", 1)  # The system group alone.
    assert found.dialect == "c600"


def test_a_c600_that_became_a_c320_is_asked_anew(choose):
    with SimulatedOlt("zte_c320", onus=2, pon_ports=1) as olt:
        assert choose(olt, remembered="c600").dialect == "1082"


def test_what_is_remembered_is_not_asked(choose):
    with SimulatedOlt("zte_c320", onus=2, pon_ports=1) as olt:
        chosen, asked = choose(olt, remembered="1012"), olt.requests

    assert (chosen.dialect, asked) == ("1012", 1)  # The system group alone.


def test_a_device_that_changed_its_tree_is_found_at_the_second_discovery(target_of):
    with SimulatedOlt("zte_c320", onus=2, pon_ports=1) as olt, open_transport(target_of(olt)) as transport:
        first = ZTE.discover(transport, dialect="1012")
        second = ZTE.discover(transport, dialect=first.dialect)

    assert (first.onus, first.dialect) == ([], "")
    assert (len(second.onus), second.dialect) == (2, "1082")


def test_a_device_that_falls_silent_when_asked_is_a_timeout(choose):
    with (
        SimulatedOlt("zte_c300", onus=2, pon_ports=1, fault="stop-after=1") as olt,
        pytest.raises(SnmpTimeout),
    ):
        choose(olt)


def test_ports_are_joined_by_name_whatever_their_number(target_of):
    with SimulatedOlt("zte_c300", onus=20, pon_ports=18) as olt, open_transport(target_of(olt)) as transport:
        found = ZTE.discover(transport)

    assert [(port.index, port.if_index) for port in found.ports][15:] == [
        ("1/2/16", 0x10000F00),
        ("1/3/1", 0x10010000),
        ("1/3/2", 0x10010100),  # What the other tables call 1/1/1.
    ]
    assert {onu.pon_port for onu in found.onus} == {port.index for port in found.ports}


def _typed(steps):
    return [command for step in steps for command in step.commands]


def test_a_c300_is_told_in_its_names():
    preset = Preset(
        onu_type="ZTE-F660",
        tcont_profile="UP-100M",
        line_profile="up100",
        service_profile="down100",
        vlan=100,
        user_vlan=20,
        native_vlan_port=1,
    )

    steps = ZteC300Driver().plan_authorize(PLACE, preset)

    assert _typed(steps) == [
        "interface gpon-olt_1/2/1",
        "onu 3 type ZTE-F660 sn ZTEGC1234567",
        "exit",
        "interface gpon-onu_1/2/1:3",
        "name Mill_St_4",
        "tcont 1 profile UP-100M",
        "gemport 1 name gem1 tcont 1",
        "gemport 1 traffic-limit upstream up100 downstream down100",
        "switchport mode hybrid vport 1",
        "exit",
        "interface gpon-onu_1/2/1:3",
        "service-port 1 vport 1 user-vlan 20 vlan 100",
        "exit",
        "pon-onu-mng gpon-onu_1/2/1:3",
        "service 1 gemport 1 vlan 20",
        "vlan port eth_0/1 mode tag vlan 20",
        "exit",
    ]
    assert steps[0].undo == ("interface gpon-olt_1/2/1", "no onu 3", "exit")
    assert (steps[0].check, steps[0].done_when) == (
        "show gpon onu by sn ZTEGC1234567",
        {"pon_port": "1/2/1", "onu_id": "3"},
    )
    assert all(step.undo == () for step in steps[1:])


def test_a_c600_is_told_in_its_names():
    driver = ZteC600Driver()

    assert _typed(driver.plan_authorize(PLACE, PRESET)) == [
        "interface gpon_olt-1/2/1",
        "onu 3 type ZTE-F660 sn ZTEGC1234567",
        "exit",
        "interface gpon_onu-1/2/1:3",
        "name Mill_St_4",
        "tcont 1 profile UP-100M",
        "gemport 1 name gem1 tcont 1",
        "exit",
        "interface vport-1/2/1.3:1",
        "service-port 1 user-vlan 100 vlan 100",
        "exit",
        "pon-onu-mng gpon_onu-1/2/1:3",
        "service 1 gemport 1 vlan 100",
        "exit",
    ]
    assert _typed(driver.plan_unauthorize(PLACE)) == ["interface gpon_olt-1/2/1", "no onu 3", "exit"]


@pytest.mark.parametrize(
    ("place", "preset"),
    [
        (PLACE, Preset(onu_type="F660\nreboot", tcont_profile="a", vlan=1)),
        (PLACE, Preset(onu_type="F660", tcont_profile="a;reboot", vlan=1)),
        (PLACE, Preset(onu_type="F660", tcont_profile="a ?", vlan=1)),
        (PLACE, Preset(onu_type="F660", tcont_profile="a", vlan=1, line_profile='"', service_profile="b")),
        (PLACE, Preset(onu_type="", tcont_profile="a", vlan=1)),
        (PLACE, Preset(onu_type="F660", tcont_profile="a")),
        (OnuPlace("1/2/1", 3, "ZTEGC1234567", description="a\nexit"), PRESET),
        (OnuPlace("1/2/1", 3, "x\nreboot"), PRESET),
        (OnuPlace("1/2/1\nreboot", 3, "ZTEGC1234567"), PRESET),
        (OnuPlace("2/1", 3, "ZTEGC1234567"), PRESET),
    ],
)
def test_what_would_type_something_else_is_refused(place, preset):
    for driver in ZTE.variants():
        with pytest.raises(ValueError):  # noqa: PT011  (each says something else)
            driver.plan_authorize(place, preset)


@pytest.mark.parametrize(
    ("answer", "rows"),
    [
        (
            "SearchResult\n-----------\ngpon-onu_1/2/1:3\n",
            [{"pon_port": "1/2/1", "onu_id": "3", "serial": "ZTEGC1234567"}],
        ),
        (
            "SearchResult\n-----------\ngpon_onu-1/2/1:3\n",
            [{"pon_port": "1/2/1", "onu_id": "3", "serial": "ZTEGC1234567"}],
        ),
        ("%Code 62310-GPONSRV : No related information to show.\n", []),
        ("%Error 20202: Invalid input detected at '^' marker.", None),
        ("% Invalid input detected at '^' marker.", None),
    ],
)
def test_where_an_onu_was_found(answer, rows):
    assert ZTE.read_answer("show gpon onu by sn ZTEGC1234567", answer) == rows
    assert ZTE.read_answer("show version", answer) is None


@pytest.mark.parametrize(
    ("answer", "refused", "fine"),
    [
        ("%Error 20203: The profile does not exist.", True, False),
        ("%Code 62310-GPONSRV : The service port is already configured.", True, True),
        ("% Invalid input detected at '^' marker.", True, False),
        ("%Info 20272: Enter configuration commands, one per line.", False, False),
        (".[Successful]", False, False),
        ("", False, False),
    ],
)
def test_a_refusal_is_told_from_what_is_so_already(answer, refused, fine):
    step = typed(ZteC300Driver().plan_authorize(PLACE, PRESET))[1]

    assert bool(re.search(step.refused_if, answer, re.IGNORECASE | re.MULTILINE)) is refused
    assert bool(re.search(step.done_if, answer, re.IGNORECASE | re.MULTILINE)) is fine


def test_an_onu_comes_and_goes_by_row_status(target_of):
    driver = ZteC300Driver().without_cli()
    with SimulatedOlt("zte_c300", onus=2, pon_ports=1) as olt, open_transport(target_of(olt)) as transport:
        for step in sets(driver.plan_authorize(PLACE, Preset(onu_type="ZTE-F660"))):
            assert transport.get(list(step.done_when)) != step.done_when
            transport.set(step.pairs)
            assert transport.get(list(step.done_when)) == step.done_when
        there = ZTE.discover(transport).onus[-1]
        (removal,) = sets(driver.plan_unauthorize(PLACE))
        transport.set(removal.pairs)
        gone = transport.get(list(removal.done_when))

    assert (there.index, there.serial, there.description) == ("1/2/1/3", "ZTEGC1234567", "Mill_St_4")
    assert gone == removal.done_when
    assert len(olt.onus) == 2


def test_without_a_command_line_no_vlan_is_promised():
    with pytest.raises(ValueError, match="VLAN"):
        ZteC300Driver().without_cli().plan_authorize(PLACE, PRESET)


@pytest.mark.parametrize(
    ("vendor", "driver"), [("zte_c320", ZteC320V2Driver()), ("zte_c600", ZteC600Driver())]
)
def test_an_onu_is_restarted_by_set(target_of, vendor, driver):
    with SimulatedOlt(vendor, onus=2, pon_ports=1) as olt, open_transport(target_of(olt)) as transport:
        (step,) = sets(driver.plan_reboot(OnuPlace("1/1/1", 1, "ZTEGC1234567")))
        transport.set(step.pairs)

    assert olt.onus[0, 0].down_cause == 9  # Reset.


def test_a_c300_cannot_restart_an_onu():
    with pytest.raises(NotSupportedByDevice):
        ZteC300Driver().plan_reboot(PLACE)
