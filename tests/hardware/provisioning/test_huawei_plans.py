"""What a Huawei is told, word for word, and how its answers are read; recordings hold real answers."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware.drivers import DRIVERS, CliStep, OnuPlace, Preset, SnmpStep
from hardware.drivers import huawei_plans as plans
from hardware.drivers.huawei import ONT_CONFIG, ONT_CONTROL

PLACE = OnuPlace("0/1/0", 3, "HWTC9A000FFF", description="Elm St 3")
PRESET = Preset(line_profile="10", service_profile="bridge", vlan=100, user_vlan=7, gem_port=2)
HUAWEI = DRIVERS["huawei"]
ROW = "4194312192.3"


def commands(step: object) -> tuple[str, ...]:
    assert isinstance(step, CliStep)
    return step.commands


class TestPlans:
    def test_authorise(self) -> None:
        add, join = HUAWEI.plan_authorize(PLACE, PRESET)

        assert commands(add) == (
            "interface gpon 0/1",
            "ont add 0 3 sn-auth 485754439A000FFF omci ont-lineprofile-id 10 ont-srvprofile-name bridge "
            'desc "Elm St 3"',
            "quit",
        )
        assert commands(join) == (
            "service-port vlan 100 gpon 0/1/0 ont 3 gemport 2 multi-service user-vlan 7 tag-transform translate",
        )

    def test_remove_what_depends_on_it_first(self) -> None:
        leave, delete = HUAWEI.plan_unauthorize(PLACE)

        assert commands(leave) == ("undo service-port port 0/1/0 ont 3",)
        assert commands(delete) == ("interface gpon 0/1", "ont delete 0 3", "quit")

    def test_restart(self) -> None:
        (restart,) = HUAWEI.plan_reboot(PLACE)

        assert commands(restart) == ("interface gpon 0/1", "ont reset 0 3", "quit")

    def test_without_a_command_line(self) -> None:
        driver = HUAWEI.without_cli()
        profiles = Preset(line_profile="FTTH", service_profile="bridge")
        serial = bytes.fromhex("485754439A000FFF")

        assert driver.plan_authorize(PLACE, profiles) == (
            SnmpStep(
                "Add the ONU as number 3 of port 0/1/0",
                (
                    (f"{ONT_CONFIG}.2.{ROW}", 1),
                    (f"{ONT_CONFIG}.3.{ROW}", serial),
                    (f"{ONT_CONFIG}.6.{ROW}", 1),
                    (f"{ONT_CONFIG}.7.{ROW}", b"FTTH"),
                    (f"{ONT_CONFIG}.8.{ROW}", b"bridge"),
                    (f"{ONT_CONFIG}.9.{ROW}", b"Elm St 3"),
                    (f"{ONT_CONFIG}.10.{ROW}", 4),
                ),
                undo=((f"{ONT_CONFIG}.10.{ROW}", 6),),
                done_when={f"{ONT_CONFIG}.3.{ROW}": serial},
            ),
        )
        (delete,) = driver.plan_unauthorize(PLACE)
        assert isinstance(delete, SnmpStep)
        assert (delete.pairs, delete.done_when) == (
            ((f"{ONT_CONFIG}.10.{ROW}", 6),), {f"{ONT_CONFIG}.3.{ROW}": None},
        )  # fmt: skip
        (restart,) = driver.plan_reboot(PLACE)
        assert isinstance(restart, SnmpStep)
        assert restart.pairs == ((f"{ONT_CONTROL}.2.{ROW}", 1),)

    @settings(max_examples=200, deadline=None)
    @given(
        text=st.text(max_size=80), field=st.sampled_from(["serial", "port", "line", "service", "description"])
    )
    def test_no_text_makes_a_second_command(self, text: str, field: str) -> None:
        told = {"serial": PLACE.serial, "port": "0/1/0", "line": "10", "service": "x", "description": ""} | {
            field: text
        }
        place = OnuPlace(told["port"], 3, told["serial"], description=told["description"])

        try:
            steps = HUAWEI.plan_authorize(place, Preset(told["line"], told["service"], vlan=1))
        except ValueError:
            return

        for step in steps:
            for command in commands(step):
                assert command.isprintable()
                assert command.isascii()
                assert not set(command) & set("?|`;'\\&$<>")
                assert command.count('"') in (0, 2)


class TestSerials:
    @pytest.mark.parametrize(
        ("plain", "digits"), [("HWTC9A000FFF", "485754439A000FFF"), ("1234567890ABCDEF", "1234567890ABCDEF")]
    )
    def test_both_ways(self, plain: str, digits: str) -> None:
        assert plans.hex_serial(plain) == digits
        assert plans.plain_serial(digits) == plain

    @pytest.mark.parametrize(
        "text", ["", "HWTC", "HWTC9A000FFG", "hwtc9a000fff", "HWTC9A000FFF ", "HWTC 9A00"]
    )
    def test_what_is_none(self, text: str) -> None:
        with pytest.raises(ValueError, match="no ONU serial"):
            plans.hex_serial(text)


class TestAnswers:
    @pytest.mark.parametrize(
        ("command", "file", "rows"),
        [
            ("ont add 6 2", "ont_add", [{"port": "6", "onu_id": "2"}]),
            (
                "display ont info by-sn 123456789123AB12AB",
                "display_ont_info_2",
                [
                    {
                        "pon_port": "0/1/1",
                        "onu_id": "131",
                        "serial": "123456789123AB12AB",
                        "run_state": "online",
                    }
                ],
            ),
            (
                "display ont info 0 0 6 2",
                "display_ont_info_1",
                [{"pon_port": "0/0/6", "onu_id": "2", "serial": "8XN7J0FFL8NL6I3W", "run_state": "online"}],
            ),
            (
                "display ont autofind all",
                "display_ont_autofind",
                [
                    {
                        "pon_port": "0/0/0",
                        "serial": "12345678A12BC3AB",
                        "equipment_id": "EG8145X6-10",
                        "software": "A1B123D12E123",
                    }
                ],
            ),
            (
                "display service-port all",
                "display_service-port_all",
                [{"service_port": "5827", "pon_port": "0/1/0", "onu_id": "0", "vlan": "2", "gem_port": "1"}],
            ),
        ],
    )
    def test_recorded_ones_are_read(
        self, recordings: Path, command: str, file: str, rows: list[dict[str, str]]
    ) -> None:
        answer = (recordings / "cli_huawei_smartax" / f"huawei_smartax_{file}.raw").read_text()

        assert HUAWEI.read_answer(command, answer) == rows

    @pytest.mark.parametrize(
        ("command", "answer"),
        [
            ("display ont info by-sn 48575443F5B16522", "  The required ONT does not exist"),
            ("display service-port port 0/1/0 ont 5", "  Failure: No service virtual port can be operated"),
        ],
    )
    def test_none_listed_is_an_empty_list(self, command: str, answer: str) -> None:
        assert HUAWEI.read_answer(command, f"{command}\n{answer}\n") == []

    @pytest.mark.parametrize(
        "answer", ["", "% Unknown command", "gibberish\n" * 50, "  Description : The ONT does not exist"]
    )
    def test_what_is_not_understood_says_nothing(self, answer: str) -> None:
        assert HUAWEI.read_answer("display ont info by-sn 48575443F5B16522", answer) is None
        assert HUAWEI.read_answer("display board 0", answer) is None

    @settings(max_examples=150, deadline=None)
    @given(answer=st.text(max_size=600))
    def test_no_answer_breaks_the_reader(self, answer: str) -> None:
        for command in ("ont add", "display ont info", "display ont autofind", "display service-port"):
            HUAWEI.read_answer(command, answer)
