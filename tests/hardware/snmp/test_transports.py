"""The same behaviour from every backend, on good devices and on bad ones."""

import contextlib
import importlib.util
import itertools
import os
import random
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from demo.olt import AgentServer, SimulatedOlt, ber
from demo.olt.agent import Agent
from demo.olt.huawei import CONFIG, CONTROL, XPON, HuaweiOlt, if_index
from hardware.snmp import (
    BACKENDS,
    SnmpBadAnswer,
    SnmpError,
    SnmpNonIncreasing,
    SnmpRefused,
    SnmpTimeout,
    Target,
    Value,
    open_transport,
)

SERIALS = f"{CONFIG}.3"
LAST_COLUMN = f"{XPON}.4.23.1.4"  # Ends where the MIB ends.
SYS_DESCR, SYS_OBJECT_ID, SYS_UPTIME = "1.3.6.1.2.1.1.1.0", "1.3.6.1.2.1.1.2.0", "1.3.6.1.2.1.1.3.0"
HAS_EASYSNMP = importlib.util.find_spec("easysnmp") is not None


@pytest.fixture(params=BACKENDS)
def backend(request):
    if request.param == "easysnmp" and not HAS_EASYSNMP:
        reason = "easysnmp is not installed: pip install -r requirements-easysnmp.txt (needs libsnmp-dev)"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    return request.param


@pytest.fixture
def olt():
    with SimulatedOlt(onus=100, pon_ports=2) as running:
        yield running


@pytest.fixture
def transport(olt, backend, target_of):
    with open_transport(target_of(olt), backend) as opened:
        yield opened


@pytest.fixture
def hasty(olt, backend, target_of):
    """A transport that gives up soon, for devices that do not answer."""
    with open_transport(target_of(olt, timeout_seconds=0.1), backend) as opened:
        yield opened


def _wait_for_requests(olt: SimulatedOlt, count: int) -> None:
    """Give a busy machine's agent time to see what was sent; more than `count` is never right."""
    deadline = time.monotonic() + 5
    while olt.requests < count and time.monotonic() < deadline:
        time.sleep(0.01)
    assert olt.requests == count


def test_get_reads_every_type_and_none_for_what_is_missing(transport, olt):
    found = transport.get([SYS_DESCR, SYS_OBJECT_ID, SYS_UPTIME, "1.3.6.1.2.1.1.9.0", "1.3.6.1.2.1.1.1.5"])

    assert found == {
        SYS_DESCR: b"Huawei Integrated Access Software",
        SYS_OBJECT_ID: "1.3.6.1.4.1.2011.2.248",
        SYS_UPTIME: 86400000,
        "1.3.6.1.2.1.1.9.0": None,
        "1.3.6.1.2.1.1.1.5": None,
    }


def test_get_of_many_is_split_into_datagrams(transport, olt):
    oids = [f"{SERIALS}.{if_index(port)}.{onu}" for port in (0, 1) for onu in range(50)]

    found = transport.get(oids)

    assert list(found) == oids
    assert found[oids[-1]] == olt.onus[1, 49].serial


def test_walk_yields_binary_and_64_bit_values_in_order(transport, olt):
    serials = list(transport.walk(SERIALS))
    octets = dict(transport.walk(LAST_COLUMN))

    expected = [(f"{if_index(p)}.{n}", olt.onus[p, n].serial) for p in (0, 1) for n in range(50)]
    assert serials == expected
    assert octets[f"{if_index(1)}.49"] == olt.onus[1, 49].down_bytes
    assert len(octets) == 100


def test_walk_of_signed_values(transport, olt):
    powers = dict(transport.walk(f"{XPON}.2.51.1.4"))

    onu = next(onu for onu in olt.onus.values() if onu.online)
    off = next(onu for onu in olt.onus.values() if not onu.online)
    assert powers[f"{if_index(onu.port)}.{onu.onu_id}"] == round(onu.rx_dbm * 100)
    assert powers[f"{if_index(off.port)}.{off.onu_id}"] == 2147483647


def test_walk_of_a_column_that_is_not_there_is_empty(transport):
    assert list(transport.walk("1.3.6.1.4.1.2011.6.128.1.1.2.99")) == []
    assert list(transport.walk("1.3.6.1.9")) == []


def test_walk_streams(transport, olt):
    walk = transport.walk(SERIALS)
    next(walk)

    assert olt.requests <= 2


def test_wrong_community_is_a_timeout_that_says_so(olt, backend, target_of):
    with (
        open_transport(target_of(olt, community="guess", timeout_seconds=0.05), backend) as transport,
        pytest.raises(SnmpTimeout, match=r"did not answer within 3 tries: wrong community"),
    ):
        transport.get([SYS_DESCR])


@pytest.mark.parametrize("retries", [0, 1, 2])
def test_tries_are_counted_exactly(olt, backend, target_of, retries):
    olt.fault = "silent"
    with open_transport(target_of(olt, timeout_seconds=0.05, retries=retries), backend) as transport:
        with pytest.raises(SnmpTimeout, match=f"within {retries + 1} tr"):
            transport.get([SYS_DESCR])
        _wait_for_requests(olt, retries + 1)

        with pytest.raises(SnmpTimeout, match=f"within {retries + 1} tr"):
            list(transport.walk(SERIALS))
        _wait_for_requests(olt, 2 * (retries + 1))


def test_nobody_listening_is_a_timeout(backend):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (
        open_transport(Target("127.0.0.1", port, timeout_seconds=0.05, retries=1), backend) as transport,
        pytest.raises(SnmpTimeout),
    ):
        list(transport.walk(SERIALS))


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("silent", SnmpTimeout),
        ("stop-after=2", SnmpTimeout),
        ("wrong-request-id", SnmpTimeout),
        ("garbage", SnmpBadAnswer),
        ("genErr", SnmpRefused),
        ("non-increasing", SnmpNonIncreasing),
    ],
)
def test_a_bad_device_never_looks_like_the_end_of_a_column(hasty, olt, backend, fault, error):
    olt.fault = fault
    if (backend, fault) == ("easysnmp", "garbage"):
        error = SnmpTimeout  # libsnmp throws away what it cannot read.

    with pytest.raises(error):
        list(hasty.walk(LAST_COLUMN))


def test_rows_before_the_failure_arrive(olt, backend, target_of):
    olt.fault = "stop-after=2"
    seen: list[tuple[str, Value]] = []

    with (
        open_transport(target_of(olt, timeout_seconds=0.5, retries=0), backend) as transport,
        pytest.raises(SnmpTimeout),
    ):
        seen.extend(transport.walk(SERIALS))

    assert [value for _, value in seen] == [olt.onus[0, onu].serial for onu in range(50)]


def test_late_answers_to_earlier_requests_are_ignored(transport, olt):
    olt.fault = "duplicate"

    assert [value for _, value in transport.walk(SERIALS)] == [
        olt.onus[port, onu].serial for port in (0, 1) for onu in range(50)
    ]
    assert transport.get([SYS_UPTIME]) == {SYS_UPTIME: 86400000}


def test_strays_do_not_stretch_the_deadline(backend):
    """A device that never stops sending answers to other requests is given up on time."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as chatter:
        chatter.bind(("127.0.0.1", 0))
        varbind = ber.encode(ber.SEQUENCE, ber.encode_oid(SYS_UPTIME) + ber.encode_integer(1, ber.TICKS))
        fields = ber.encode_integer(7) + ber.encode_integer(0) * 2 + ber.encode(ber.SEQUENCE, varbind)
        head = ber.encode_integer(1) + ber.encode(ber.OCTETS, b"public")
        stray = ber.encode(ber.SEQUENCE, head + ber.encode(ber.RESPONSE, fields))
        stop = threading.Event()

        def chat():
            _, client = chatter.recvfrom(2048)
            while not stop.wait(0.01):
                chatter.sendto(stray, client)

        thread = threading.Thread(target=chat)
        thread.start()
        target = Target("127.0.0.1", chatter.getsockname()[1], timeout_seconds=0.2, retries=0)
        began = time.monotonic()
        try:
            with open_transport(target, backend) as transport, pytest.raises(SnmpError):
                transport.get([SYS_UPTIME])
        finally:
            stop.set()
            thread.join()

    assert time.monotonic() - began < 2


@pytest.mark.parametrize("fault", ["tooBig=3", "drop-above=16", "drop-above=1"])
def test_a_device_that_cannot_bear_25_rows_is_asked_for_fewer(hasty, olt, fault):
    olt.fault = fault

    assert len(list(hasty.walk(SERIALS))) == 100
    assert len(list(hasty.walk(LAST_COLUMN))) == 100


def test_losses_are_made_good(olt, backend, target_of):
    olt.fault = "drop=0.1"
    with open_transport(target_of(olt, timeout_seconds=0.05, retries=8), backend) as transport:
        assert len(list(transport.walk(SERIALS))) == 100
        assert len(list(transport.walk(LAST_COLUMN))) == 100


def test_patience_waits_longer(olt, backend, target_of):
    olt.fault = "slow=0.15"
    with open_transport(target_of(olt, timeout_seconds=0.1, retries=0), backend) as transport:
        with pytest.raises(SnmpTimeout):
            list(transport.walk("1.3.6.1.2.1.1"))

        assert len(list(transport.walk("1.3.6.1.2.1.1", patience=20))) == 4


def test_set_writes_all_or_nothing(transport, olt):
    first = f"{if_index(0)}.0"

    transport.set([(f"{CONFIG}.9.{first}", b"new"), (f"{CONTROL}.1.{first}", 2)])

    assert (olt.onus[0, 0].description, olt.onus[0, 0].active) == ("new", False)

    with pytest.raises(SnmpRefused) as refused:
        transport.set([(f"{CONFIG}.9.{first}", b"newer"), (f"{CONTROL}.1.{first}", 7)])

    assert (refused.value.status, refused.value.index) == ("wrongValue", 2)
    assert refused.value.oid == f"{CONTROL}.1.{first}"
    assert olt.onus[0, 0].description == "new"


def test_set_is_sent_once(hasty, olt):
    olt.fault = "silent"
    before = olt.requests

    with pytest.raises(SnmpTimeout, match="within 1 try"):
        hasty.set([(f"{CONTROL}.2.{if_index(0)}.0", 1)])

    _wait_for_requests(olt, before + 1)


def test_version_1_reads_and_ends(backend, target_of, tmp_path):
    recording = tmp_path / "old.snmprec"
    recording.write_text(
        "1.3.6.1.2.1.1.3.0|67|100\n" + "".join(f"1.3.6.1.4.1.9.2.{n}|2|{n}\n" for n in range(5))
    )
    with (
        SimulatedOlt(replay=recording) as olt,
        open_transport(target_of(olt, version="1"), backend) as transport,
    ):
        assert transport.get([SYS_UPTIME, "1.3.6.1.2.1.1.9.0"]) == {
            SYS_UPTIME: 100,
            "1.3.6.1.2.1.1.9.0": None,
        }
        assert list(transport.walk("1.3.6.1.4.1.9.2")) == [(str(number), number) for number in range(5)]


def test_many_threads_read_at_once(backend, target_of):
    olts = [SimulatedOlt(onus=60, pon_ports=2, seed=seed) for seed in range(8)]
    for olt in olts:
        olt.start()

    def read(olt):
        with open_transport(target_of(olt, timeout_seconds=5), backend) as transport:
            return [value for _, value in transport.walk(SERIALS)]

    try:
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(read, olts))
    finally:
        for olt in olts:
            olt.stop()

    assert found == [[olt.onus[port, onu].serial for port in (0, 1) for onu in range(30)] for olt in olts]


@pytest.mark.parametrize("seed", range(3))
def test_mutilated_answers_raise_nothing_else(backend, seed):
    """Flip, cut and repeat bytes of honest answers: rows or an SnmpError, never another exception."""
    chance = random.Random(seed)
    agent = Agent(HuaweiOlt(onus=40, pon_ports=2, seed=1))

    class Mutilating(Agent):
        def answer(self, datagram):
            for delay, answer in agent.answer(datagram):
                hurt = bytearray(answer)
                for _ in range(chance.randrange(1, 4)):
                    hurt[chance.randrange(len(hurt))] = chance.randrange(256)
                return ((delay, bytes(hurt[: chance.choice((len(hurt), chance.randrange(1, len(hurt))))])),)
            return ()

    server = AgentServer([(Mutilating(agent.device), ("127.0.0.1", 0))])
    with server:
        target = Target(*server.addresses[0], timeout_seconds=0.005, retries=0)
        for _ in range(150):
            with open_transport(target, backend) as transport, contextlib.suppress(SnmpError):
                rows = itertools.islice(transport.walk(SERIALS), 500)
                assert all(isinstance(index, str) for index, _ in rows)
            with open_transport(target, backend) as transport, contextlib.suppress(SnmpError):
                transport.get([SYS_DESCR, SYS_UPTIME])


def test_a_community_is_not_in_the_repr():
    assert "s3cret" not in repr(Target("192.0.2.1", community="s3cret"))


def test_a_host_without_address_is_an_snmp_error(backend):
    with pytest.raises(SnmpError, match="has no address"):
        open_transport(Target("no-such-host.invalid"), backend)


@pytest.mark.parametrize(
    "wrong", [{"max_repetitions": 0}, {"retries": -1}, {"timeout_seconds": 0}, {"version": "3"}]
)
def test_a_target_that_cannot_work_is_refused(wrong):
    with pytest.raises(ValueError, match=r"must be|not spoken"):
        Target("192.0.2.1", **wrong)


def test_an_unknown_backend_is_refused():
    with pytest.raises(ValueError, match="no SNMP backend"):
        open_transport(Target("127.0.0.1"), "carrier-pigeon")
