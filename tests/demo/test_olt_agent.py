"""The simulated agent against RFC 3416, with net-snmp's tools as the other side."""

import subprocess

import pytest

from demo.olt import SimulatedOlt, ber
from demo.olt.agent import LARGEST_ANSWER, Agent
from demo.olt.faults import FAULTS, parse_fault
from demo.olt.huawei import CONFIG, CONTROL, XPON, HuaweiOlt, if_index
from tests.needs import require

SERIALS = f"{CONFIG}.3"
DESCRIPTION_OF_FIRST = f"{CONFIG}.9.{if_index(0)}.0"


@pytest.fixture
def olt():
    with SimulatedOlt(onus=60, pon_ports=2) as running:
        yield running


@pytest.fixture
def run(olt):
    def run(tool, *arguments, community="public"):
        command = [*require(tool), "-v2c", "-c", community, "-On", "-t1", "-r0", "-m", ""]
        done = subprocess.run(
            [*command, *(a for a in arguments if a.startswith("-C")), f"{olt.host}:{olt.port}",
             *(a for a in arguments if not a.startswith("-C"))],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.stdout + done.stderr

    return run


def test_get_answers_values_and_says_what_is_missing(run):
    out = run("snmpget", "1.3.6.1.2.1.1.1.0", "1.3.6.1.2.1.1.2.0", "1.3.6.1.2.1.1.9.0", "1.3.6.1.2.1.1.1.7")

    assert '.1.3.6.1.2.1.1.1.0 = STRING: "Huawei Integrated Access Software"' in out
    assert ".1.3.6.1.2.1.1.2.0 = OID: .1.3.6.1.4.1.2011.2.248" in out
    assert ".1.3.6.1.2.1.1.9.0 = No Such Object" in out
    assert ".1.3.6.1.2.1.1.1.7 = No Such Instance" in out


def test_getnext_and_bulk_walk_the_same_tree(run, olt):
    bulk = run("snmpbulkwalk", "-Cr25", "1.3.6.1.4.1").splitlines()
    single = run("snmpwalk", "1.3.6.1.4.1").splitlines()

    assert bulk.pop() == single.pop()  # "No more variables": the MIB ends here.
    assert bulk == single
    assert sum(line.startswith(f".{SERIALS}.") for line in bulk) == 60
    assert bulk[-1].startswith(f".{XPON}.4.23.1.4.{if_index(1)}.29 = Counter64: ")


def test_wrong_community_is_silence(run):
    assert "Timeout" in run("snmpget", "1.3.6.1.2.1.1.1.0", community="private")


def test_set_writes_a_description(run, olt):
    out = run("snmpset", DESCRIPTION_OF_FIRST, "s", "Mill St 4")

    assert "Mill St 4" in out
    assert "Mill St 4" in run("snmpget", DESCRIPTION_OF_FIRST)
    assert olt.onus[0, 0].description == "Mill St 4"


@pytest.mark.parametrize(
    ("oid", "kind", "value", "refusal"),
    [
        (f"{CONTROL}.1.{if_index(0)}.0", "i", "7", "wrongValue"),
        (f"{CONTROL}.1.{if_index(0)}.0", "s", "x", "wrongType"),
        (f"{CONFIG}.9.{if_index(0)}.0", "s", "x" * 129, "wrongLength"),
        (f"{CONFIG}.9.{if_index(0)}.99", "s", "x", "noCreation"),
        (f"{CONFIG}.10.{if_index(0)}.0", "i", "4", "inconsistentValue"),
        (f"{CONFIG}.10.{if_index(0)}.99", "i", "4", "inconsistentValue"),
        (f"{CONFIG}.9.{if_index(9)}.0", "s", "x", "noCreation"),
        ("1.3.6.1.2.1.1.1.0", "s", "x", "notWritable"),
    ],
)
def test_set_is_refused_by_name_and_changes_nothing(run, olt, oid, kind, value, refusal):
    before = run("snmpbulkwalk", "1.3.6.1.4.1")

    out = run("snmpset", oid, kind, value)

    assert refusal in out
    assert run("snmpbulkwalk", "1.3.6.1.4.1") == before


def test_one_pdu_creates_an_onu_and_another_deletes_it(run, olt):
    index = f"{if_index(1)}.77"

    created = run(
        "snmpset",
        f"{CONFIG}.2.{index}", "i", "1", f"{SERIALS}.{index}", "x", "485754439A000FFF",
        f"{CONFIG}.9.{index}", "s", "new", f"{CONFIG}.10.{index}", "i", "4",
    )  # fmt: skip

    assert "Error" not in created
    assert olt.onus[1, 77].serial_text == "HWTC9A000FFF"
    assert "48 57 54 43 9A 00 0F FF" in run("snmpget", f"{SERIALS}.{index}")

    run("snmpset", f"{CONFIG}.10.{index}", "i", "6")

    assert (1, 77) not in olt.onus
    assert "No Such Instance" in run("snmpget", f"{SERIALS}.{index}")


def test_deactivating_takes_an_onu_offline(run, olt):
    olt.set_onu_online(0, 0, online=True)

    run("snmpset", f"{CONTROL}.1.{if_index(0)}.0", "i", "2")

    assert "INTEGER: 2" in run("snmpget", f"{CONTROL}.15.{if_index(0)}.0")
    assert "INTEGER: 2147483647" in run("snmpget", f"{XPON}.2.51.1.4.{if_index(0)}.0")


def test_a_fault_can_be_set_by_snmp(run, olt):
    run("snmpset", "1.3.6.1.4.1.32473.1.1.0", "s", "silent")

    assert "Timeout" in run("snmpget", "1.3.6.1.2.1.1.1.0")

    run("snmpset", "1.3.6.1.4.1.32473.1.1.0", "s", "")

    assert "Huawei" in run("snmpget", "1.3.6.1.2.1.1.1.0")
    assert "wrongValue" in run("snmpset", "1.3.6.1.4.1.32473.1.1.0", "s", "no such fault")


def test_tests_can_change_the_olt(run, olt):
    gone = f"{SERIALS}.{if_index(0)}.3"

    new = olt.add_onu(1)
    olt.remove_onu(0, 3)

    assert f"INTEGER: {31}" in run("snmpget", f"{XPON}.2.21.1.16.{if_index(1)}")
    assert "STRING" in run("snmpget", f"{SERIALS}.{if_index(1)}.{new.onu_id}")
    assert "No Such Instance" in run("snmpget", gone)


def _bulk(agent: Agent, oid: str, repetitions: int, *, repeat: int = 1, non_repeaters: int = 0) -> bytes:
    name = ber.encode(ber.SEQUENCE, ber.encode_oid(oid) + b"\x05\x00") * repeat
    pdu = ber.encode_integer(99) + ber.encode_integer(non_repeaters) + ber.encode_integer(repetitions)
    pdu = ber.encode(ber.GET_BULK, pdu + ber.encode(ber.SEQUENCE, name))
    message = ber.encode_integer(1) + ber.encode(ber.OCTETS, b"public") + pdu
    ((_, answer),) = agent.answer(ber.encode(ber.SEQUENCE, message))
    return answer


@pytest.fixture(scope="module")
def agent():
    return Agent(HuaweiOlt(onus=200, pon_ports=2, seed=1))


def test_a_large_answer_is_cut_to_one_datagram(agent):
    answer = _bulk(agent, SERIALS, 500)

    assert LARGEST_ANSWER - 100 < len(answer) <= LARGEST_ANSWER


def test_zero_repetitions_answer_nothing_but_the_non_repeaters(agent):
    serial = ber.encode_oid(f"{SERIALS}.{if_index(0)}.0")

    assert serial not in _bulk(agent, SERIALS, 0)
    assert serial in _bulk(agent, SERIALS, 0, non_repeaters=1)


def test_repeaters_are_interleaved(agent):
    answer = _bulk(agent, SERIALS, 2, repeat=2)

    first, second = (ber.encode_oid(f"{SERIALS}.{if_index(0)}.{onu}") for onu in (0, 1))
    assert [answer.count(first), answer.count(second)] == [2, 2]
    assert answer.rindex(first) < answer.index(second)


def test_the_end_of_the_mib_is_said(agent):
    assert ber.END_OF_MIB in _bulk(agent, f"{XPON}.4.23.1.4.{if_index(1)}.99", 3)


@pytest.mark.parametrize("datagram", [b"", b"\x30", b"\x30\x84", b"\x30\x02\x02\x01", b"\xff" * 40])
def test_garbage_is_ignored(agent, datagram):
    assert agent.answer(datagram) == ()


def test_the_same_seed_makes_the_same_olt():
    one, two, other = (HuaweiOlt(onus=50, pon_ports=2, seed=seed).mib for seed in (7, 7, 8))

    assert one.rows(0, 5000) == two.rows(0, 5000)
    assert one.rows(0, 5000) != other.rows(0, 5000)


@pytest.mark.parametrize(("port", "name"), [(0, "0/1/0"), (15, "0/1/15"), (16, "0/2/0"), (39, "0/3/7")])
def test_ports_go_on_to_the_next_card(port, name):
    varbind = HuaweiOlt(onus=0, pon_ports=40, seed=1).mib.varbind(
        ber.oid_key(f"1.3.6.1.2.1.31.1.1.1.1.{if_index(port)}")
    )

    assert varbind is not None
    assert varbind.endswith(f"GPON {name}".encode())


def test_more_onus_than_fit_are_refused():
    with pytest.raises(ValueError, match="need more"):
        HuaweiOlt(onus=257, pon_ports=2, seed=1)


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_every_fault_is_named_as_it_is_parsed(name):
    assert parse_fault(name).name == name
    assert parse_fault(f"{name}=3").text == f"{name}=3"


def test_an_unknown_fault_is_refused():
    with pytest.raises(ValueError, match="unknown fault"):
        parse_fault("explode")


def test_it_answers_faster_than_any_client_asks(agent):
    """5,000 GETBULKs of 25 a second and core keep the simulator out of the measurements."""
    import time

    began = time.process_time()
    for _ in range(1000):
        _bulk(agent, SERIALS, 25)
    assert time.process_time() - began < 0.5  # Half the aim, for slow machines.
