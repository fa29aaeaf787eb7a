"""The simulated command line, typed at through the same library as a real one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from demo.olt import SimulatedOlt
from demo.olt.huawei_cli import CliFault
from hardware.cli import (
    CliHostKeyChanged,
    CliLoginFailed,
    CliLost,
    CliSession,
    CliTarget,
    CliTimeout,
)
from hardware.drivers.huawei_plans import read_answer


def target(olt: SimulatedOlt, **options: object) -> CliTarget:
    known: dict[str, object] = {
        "host": olt.cli.host, "port": olt.cli.port, "device_type": "huawei_smartax", "username": olt.cli.username,
        "password": olt.cli.password, "prepare": ("scroll 512", "config"), "command_seconds": 1.5,
    }  # fmt: skip
    return CliTarget(**known | options)  # type: ignore[arg-type]


def test_autofind_lists_who_waits_as_the_templates_read_it():
    with SimulatedOlt("huawei", onus=2, pon_ports=2, cli="ssh") as olt:
        serials = [olt.plug_in(0), olt.plug_in(1)]
        with CliSession(target(olt)) as session:
            rows = read_answer("display ont autofind all", session.send("display ont autofind all"))

    assert rows is not None
    assert [(row["serial"], row["pon_port"]) for row in rows] == list(
        zip(serials, ("0/1/0", "0/1/1"), strict=True)
    )


def test_a_wrong_password_is_refused_and_not_told():
    with (
        SimulatedOlt("huawei", onus=2, pon_ports=1, cli="ssh") as olt,
        pytest.raises(CliLoginFailed) as refusal,
    ):
        CliSession(target(olt, password="wr0ng-w0rd"))

    assert "wr0ng-w0rd" not in str(refusal.value)


def test_another_host_key_is_refused_before_the_log_in():
    with SimulatedOlt("huawei", onus=2, pon_ports=1, cli="ssh") as olt:
        with CliSession(target(olt)) as session:
            known = session.host_key
        CliSession(target(olt, host_key=known)).close()
        logins = olt.cli.logins
        with pytest.raises(CliHostKeyChanged, match="clear the stored key"):
            CliSession(target(olt, host_key=known[:-1] + "x"))

    assert olt.cli.logins == logins == 2


def test_nobody_there_is_a_timeout():
    with SimulatedOlt("huawei", onus=2, pon_ports=1, cli="ssh") as olt:
        nobody = target(olt)

    with pytest.raises(CliTimeout, match="did not accept a connection"):
        CliSession(nobody)


def test_a_command_is_one_line():
    with (
        SimulatedOlt("huawei", onus=2, pon_ports=1, cli="ssh") as olt,
        CliSession(target(olt)) as session,
        pytest.raises(ValueError, match="one line"),
    ):
        session.send("display version\nreboot system")

    assert "reboot system" not in olt.cli.commands


@pytest.mark.parametrize(("fault", "error"), [("silent=display", CliTimeout), ("cut-after=display", CliLost)])
def test_what_was_said_until_a_fault_is_kept_masked(fault: str, error: type[Exception]):
    with SimulatedOlt("huawei", onus=2, pon_ports=1, cli="ssh") as olt, CliSession(target(olt)) as session:
        olt.cli.fault = CliFault.parse(fault)
        with pytest.raises(error, match="display ont •••••••• all"):
            session.send("display ont autofind all", secrets=("autofind",))
        said = session.take_transcript()

    assert "display ont" in said
    assert "autofind" not in said


def test_the_command_keeps_its_host_key_over_restarts(tmp_path: Path):
    command = [sys.executable, "-m", "demo.olt", "--host", "127.0.0.3", "--port", "0", "--cli-port", "0"]
    command += ["--onus", "4", "--pon-ports", "2", "--waiting", "2"]
    seen = []

    for _ in range(2):
        environment = {**os.environ, "ISP_DATA_DIR": str(tmp_path)}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
            assert process.stdout
            try:
                process.stdout.readline()
                port = int(process.stdout.readline().rpartition(":")[2])
                with CliSession(CliTarget("127.0.0.3", port, "huawei_smartax", "isp", "isp-olt")) as session:
                    rows = read_answer("display ont autofind all", session.send("display ont autofind all"))
                    seen.append((session.host_key, [row["serial"] for row in rows or ()]))
            finally:
                process.terminate()

    assert seen[0] == seen[1]
    assert len(seen[0][1]) == 2


def test_the_same_over_telnet():
    with SimulatedOlt("huawei", onus=2, pon_ports=1, cli="telnet") as olt:
        serial = olt.plug_in(0)
        with CliSession(target(olt, device_type="huawei_olt_telnet")) as session:
            answer = session.send("display ont autofind all")
            said = session.take_transcript()
            olt.cli.fault = CliFault.parse("cut-after=display")
            with pytest.raises(CliLost):
                session.send("display ont autofind all")

    assert [row["serial"] for row in read_answer("display ont autofind all", answer) or ()] == [serial]
    assert olt.cli.password not in said.replace(f"{olt.cli.username}@", "")
    assert session.host_key == ""


def test_a_wrong_password_over_telnet_is_refused():
    with SimulatedOlt("huawei", onus=2, pon_ports=1, cli="telnet") as olt, pytest.raises(CliLoginFailed):
        CliSession(target(olt, device_type="huawei_olt_telnet", password="wr0ng-w0rd"))
