"""Accounting on the wire: what a packet says lands in one session, however often it comes."""

from typing import Any

import pytest

from aaa.models import NasType
from tests.aaa.radius.client import NasClient
from tests.aaa.radius.conftest import Provider

USER_REQUEST = 1
SESSION = (
    "SELECT username, host(framed_ip), station, nas_port_id, session_seconds, in4_bytes, out4_bytes, "
    "stopped_at IS NOT NULL, terminate_cause, class_token::text FROM aaa_session ORDER BY started_at"
)
USER = {
    "User_Name": "jane",
    "Calling_Station_Id": "02:00:00:00:00:01",
    "Framed_IP_Address": "192.0.2.7",
    "NAS_Port_Id": "<pppoe-jane>",
}


@pytest.fixture
def nas(provider: Provider) -> NasClient:
    provider.account("jane")
    return provider.nas()


def test_a_session_from_its_log_in_to_its_stop(provider: Provider, nas: NasClient) -> None:
    accept = nas.log_in("jane", "right", Calling_Station_Id="02:00:00:00:00:01")
    assert accept is not None
    told: dict[str, Any] = {**USER, "Class": accept.get("Class")}
    counters = {
        "Acct_Input_Octets": 5,
        "Acct_Input_Gigawords": 1,
        "Acct_Output_Octets": 7,
        "Acct_Output_Gigawords": 2,
    }

    answers = [
        nas.account("Start", "81000001", **told),
        nas.account("Interim-Update", "81000001", Acct_Session_Time=300, Acct_Input_Octets=1000, **told),
        nas.account(
            "Stop", "81000001", Acct_Session_Time=400, Acct_Terminate_Cause=USER_REQUEST, **counters, **told
        ),
    ]  # fmt: skip

    assert all(answer is not None for answer in answers)
    assert provider.rows(SESSION) == [
        (
            "jane", "192.0.2.7", "02:00:00:00:00:01", "<pppoe-jane>", 400, 2**32 + 5, 2**33 + 7, True,
            "User-Request", accept.get("Class")[:36].decode(),
        )
    ]  # fmt: skip


def test_the_same_packet_twice_and_an_old_one_late_change_nothing(provider: Provider, nas: NasClient) -> None:
    old = nas.accounting_request(
        "Interim-Update", "81000001", Acct_Session_Time=300, Acct_Input_Octets=1000, **USER
    )
    new = nas.accounting_request(
        "Interim-Update", "81000001", Acct_Session_Time=600, Acct_Input_Octets=9000, **USER
    )
    for packet in (old, new):
        assert nas.ask(packet) is not None
    before = provider.rows(SESSION)

    for packet in (new, old, new):
        # Another identifier: the server's own memory of answered packets must not be what helps.
        packet.id = (packet.id + 1) % 256
        assert nas.ask(packet) is not None

    assert provider.rows(SESSION) == before
    assert before[0][4:6] == (600, 9000)


def test_a_restart_of_the_nas_ends_its_sessions(provider: Provider, nas: NasClient) -> None:
    nas.account(
        "Interim-Update", "81000001", Acct_Session_Time=600, Event_Timestamp=_ago(provider, 60), **USER
    )

    answer = nas.account("Accounting-On", "81000002")

    assert answer is not None
    assert provider.rows("SELECT stopped_at IS NOT NULL, ended_by FROM aaa_session") == [(True, "nas")]


def test_the_delay_counts_when_the_packet_has_no_time_of_its_own(provider: Provider, nas: NasClient) -> None:
    assert nas.account("Start", "81000001", Acct_Delay_Time=100, **USER) is not None

    [(seconds,)] = provider.rows("SELECT extract(epoch FROM now() - started_at)::int FROM aaa_session")
    assert 100 <= seconds <= 104


@pytest.mark.parametrize(
    ("nas_type", "octets", "gigawords"),
    [
        (NasType.JUNIPER, (4874, 151, 152), (155, 156)),
        (NasType.HUAWEI, (2011, 144, 145), (148, 149)),
        (NasType.NOKIA, (6527, 195, 198), (196, 199)),
    ],
)
def test_counters_of_ipv6_by_vendor(
    provider: Provider, nas_type: str, octets: tuple[int, int, int], gigawords: tuple[int, int]
) -> None:
    provider.account("john")
    nas = provider.nas(nas_type, octets_mode="v6_separate")
    packet = nas.accounting_request(
        "Interim-Update",
        "1",
        User_Name="john",
        Acct_Session_Time=60,
        Acct_Input_Octets=10,
        Acct_Output_Octets=20,
    )
    vendor, v6_in, v6_out = octets
    for number, value in ((v6_in, 3), (v6_out, 4), (gigawords[0], 0), (gigawords[1], 1)):
        packet[(vendor, number)] = [value.to_bytes(4, "big")]

    assert nas.ask(packet) is not None

    assert provider.rows("SELECT in4_bytes, out4_bytes, in6_bytes, out6_bytes FROM aaa_session") == [
        (10, 20, 3, 2**32 + 4)
    ]


def test_what_cannot_be_stored_as_text_is_stored_in_hexadecimal(provider: Provider, nas: NasClient) -> None:
    packet = nas.accounting_request("Start", "81000001", User_Name="jane")
    packet[87] = [b"circuit \xff\x00"]

    assert nas.ask(packet) is not None

    assert provider.rows("SELECT nas_port_id FROM aaa_session") == [(b"circuit \xff\x00".hex(),)]
    assert provider.server.spooled() == []


def test_a_guess_at_another_nas_session_touches_nothing(provider: Provider, nas: NasClient) -> None:
    other = provider.nas()
    nas.account("Interim-Update", "81000001", Acct_Session_Time=600, Acct_Input_Octets=9000, **USER)
    before = provider.rows(SESSION)

    answer = other.account(
        "Stop", "81000001", User_Name="jane", Acct_Session_Time=700, NAS_IP_Address=nas.address
    )

    assert answer is not None
    assert before[0] in provider.rows(SESSION)


def _ago(provider: Provider, seconds: int) -> int:
    [(now,)] = provider.rows("SELECT extract(epoch FROM now())::bigint")
    return int(now) - seconds
