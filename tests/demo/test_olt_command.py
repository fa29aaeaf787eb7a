"""`python -m demo.olt` and the replay of recordings."""

import subprocess
import sys

import pytest

from demo.olt import SimulatedOlt
from hardware.snmp import Target, open_transport

SYS_DESCR = "1.3.6.1.2.1.1.1.0"


def test_one_process_serves_several_olts_with_different_onus():
    command = [sys.executable, "-m", "demo.olt", "--host", "127.0.0.3", "--port", "0", "--count", "3"]
    command += ["--onus", "4", "--pon-ports", "2", "--community", "lab"]
    serials = set()

    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            for _ in range(3):
                port = int(process.stdout.readline().rpartition(":")[2])
                with open_transport(Target("127.0.0.3", port, community="lab")) as transport:
                    serials |= {value for _, value in transport.walk("1.3.6.1.4.1.2011.6.128.1.1.2.43.1.3")}
        finally:
            process.terminate()

    assert len(serials) == 12
    assert process.returncode == 0


def test_a_snmprec_is_replayed_with_its_types(tmp_path):
    path = tmp_path / "device.snmprec"
    path.write_text(
        "1.3.6.1.2.1.1.1.0|4|EdgeOS v4\n"
        "1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.41112.1.5\n"
        "1.3.6.1.2.1.1.3.0|67|294400216\n"
        "1.3.6.1.2.1.2.2.1.6.2|4x|B4FBE41B00FF\n"
        "1.3.6.1.2.1.4.20.1.1.1|64|10.0.0.1\n"
        "1.3.6.1.2.1.31.1.1.1.6.2|70|18446744073709551615\n"
        "1.3.6.1.4.1.9.1|2|-2481\n"
    )
    with SimulatedOlt(replay=path) as olt, open_transport(Target(olt.host, olt.port)) as transport:
        found = dict(transport.walk("1.3.6.1"))

    assert found == {
        "2.1.1.1.0": b"EdgeOS v4",
        "2.1.1.2.0": "1.3.6.1.4.1.41112.1.5",
        "2.1.1.3.0": 294400216,
        "2.1.2.2.1.6.2": bytes.fromhex("B4FBE41B00FF"),
        "2.1.4.20.1.1.1": "10.0.0.1",
        "2.1.31.1.1.1.6.2": 18446744073709551615,
        "4.1.9.1": -2481,
    }


def test_a_walk_is_replayed_and_given_its_owner(tmp_path):
    path = tmp_path / "device.snmpwalk"
    path.write_text(
        ".1.3.6.1.4.1.2011.6.128.1.1.2.43.1.3.4194312192.1 = Hex-STRING: 48 57 54 43 00 00 00 01 \n"
        '.1.3.6.1.4.1.2011.6.128.1.1.2.43.1.9.4194312192.1 = STRING: "A house"\n'
        ".1.3.6.1.4.1.2011.6.128.1.1.4.23.1.4.4194312192.1 = Counter64: 722546186186\n"
    )
    with SimulatedOlt(replay=path) as olt, open_transport(Target(olt.host, olt.port)) as transport:
        found = [value for _, value in transport.walk("1.3.6.1.4.1")]
        owner = transport.get([SYS_DESCR])

    assert found == [b"HWTC\0\0\0\1", b"A house", 722546186186]
    assert owner == {SYS_DESCR: b"Huawei Integrated Access Software"}


def test_every_recording_is_replayed_whole(recordings):
    for path in sorted(recordings.glob("*.snmp*")):
        lines = [line for line in path.read_text(errors="surrogateescape").splitlines() if line.strip()]
        olt = SimulatedOlt(replay=path)
        assert len(olt.device.mib) >= len(lines), path.name


def test_a_recording_cannot_be_changed(tmp_path):
    path = tmp_path / "empty.snmprec"
    path.write_text("")
    with pytest.raises(TypeError, match="recording"):
        SimulatedOlt(replay=path).add_onu(0)
