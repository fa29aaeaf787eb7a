"""What each type of NAS hears, attribute by attribute, on the wire."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from aaa.models import NasType
from tests.aaa.radius.client import Answer, NasClient
from tests.aaa.radius.conftest import MakeProvider, Provider

RATE: dict[str, Any] = {"down_kbps": 50_000, "up_kbps": 10_000, "filter_id": "home"}
# Attributes and values of an Access-Accept for 50 Mbit/s down, 10 up, and a filter.
WIRE: dict[str, dict[str, list[Any]]] = {
    NasType.MIKROTIK: {"Mikrotik-Rate-Limit": ["10M/50M"], "Filter-Id": ["home"]},
    NasType.CISCO: {"Filter-Id": ["home"]},
    NasType.JUNIPER: {"ERX-CoS-Shaping-Pmt-Type": ["T02 50m"], "Filter-Id": ["home"]},
    NasType.HUAWEI: {
        "Huawei-Input-Average-Rate": [10_000_000],
        "Huawei-Output-Average-Rate": [50_000_000],
        "Filter-Id": ["home"],
    },
    NasType.ZTE: {
        "ZTE-Rate-Ctrl-SCR-Down": [50_000],
        "ZTE-Rate-Ctrl-SCR-Up": [10_000],
        "ZTE-Rate-Ctrl-SCR-Down-v6": [50_000],
        "ZTE-Rate-Ctrl-SCR-Up-v6": [10_000],
        "Filter-Id": ["home"],
    },
    NasType.NOKIA: {
        "Alc-Subscriber-QoS-Override": ["e:r:rate=50000", "i:a:root:rate=10000"],
        "Filter-Id": ["home"],
    },
    NasType.ACCEL_PPP: {"Filter-Id": ["50000/10000"]},
    NasType.WISPR: {
        "WISPr-Bandwidth-Max-Down": [50_000_000],
        "WISPr-Bandwidth-Max-Up": [10_000_000],
        "Filter-Id": ["home"],
    },
    NasType.OTHER: {"Filter-Id": ["home"]},
}
OF_EVERY_REPLY = {"Message-Authenticator", "Class", "Acct-Interim-Interval"}


def _accept(nas: NasClient, username: str = "jane") -> Answer:
    answer = nas.log_in(username, "right")
    assert answer is not None
    assert answer.accepted
    return answer


def _attributes(answer: Answer) -> dict[str, list[Any]]:
    return {name: answer.all(name) for name in answer.packet.keys() if name not in OF_EVERY_REPLY}  # noqa: SIM118


@pytest.mark.parametrize("nas_type", NasType.values)
def test_the_rate_in_the_words_of_each_type(provider: Provider, nas_type: str) -> None:
    provider.account("jane", policy_id=provider.policy(**RATE).pk)

    answer = _accept(provider.nas(nas_type))

    assert _attributes(answer) == WIRE[nas_type]


@pytest.mark.parametrize(
    ("nas_type", "fields", "expected"),
    [
        (
            NasType.CISCO,
            {"cisco_policy_in": "UP10", "cisco_policy_out": "DOWN50"},
            {"Cisco-AVPair": ["ip:sub-qos-policy-in=UP10", "ip:sub-qos-policy-out=DOWN50"]},
        ),
        (NasType.JUNIPER, {"juniper_qos_profile": "home50"}, {"ERX-Qos-Profile-Name": ["home50"]}),
        (NasType.HUAWEI, {"huawei_qos_profile": "home50"}, {"Huawei-Qos-Profile-Name": ["home50"]}),
        (
            NasType.NOKIA,
            {"nokia_sla_profile": "home50", "nokia_subscriber_profile": "homes"},
            {"Alc-SLA-Prof-Str": ["home50"], "Alc-Subsc-Prof-Str": ["homes"]},
        ),
        (NasType.MIKROTIK, {"address_list": "vip"}, {"Mikrotik-Address-List": ["vip"]}),
    ],
)  # fmt: skip
def test_names_that_routers_know(
    provider: Provider, nas_type: str, fields: dict[str, str], expected: dict[str, list[Any]]
) -> None:
    provider.account("jane", policy_id=provider.policy(**fields).pk)

    answer = _accept(provider.nas(nas_type))

    assert _attributes(answer) == expected


def test_nothing_is_sent_of_what_nobody_set(provider: Provider) -> None:
    provider.account("jane")

    answer = _accept(provider.nas())

    assert _attributes(answer) == {}
    assert answer.get("Acct-Interim-Interval") == 300


def test_static_addresses_go_before_pools(make_provider: MakeProvider) -> None:
    provider = make_provider("north", framed_pool="v4", ipv6_pool="v6", delegated_pool="pd")
    provider.account(
        "jane",
        static_ip4="192.0.2.7",
        framed_ipv6_prefix="2001:db8:7::/64",
        delegated_prefix="2001:db8:700::/56",
    )

    answer = _accept(provider.nas())

    assert _attributes(answer) == {
        "Framed-IP-Address": ["192.0.2.7"],
        "Framed-IP-Netmask": ["255.255.255.255"],
        "Framed-IPv6-Prefix": ["2001:db8:7::/64"],
        "Delegated-IPv6-Prefix": ["2001:db8:700::/56"],
    }


@pytest.mark.parametrize(
    ("nas_type", "of_prefixes"),
    [(NasType.MIKROTIK, "Mikrotik-Delegated-IPv6-Pool"), (NasType.JUNIPER, "Delegated-IPv6-Prefix-Pool")],
)
def test_pools_of_the_nas(make_provider: MakeProvider, nas_type: str, of_prefixes: str) -> None:
    provider = make_provider("north", framed_pool="v4", ipv6_pool="v6", delegated_pool="pd")
    provider.account("jane")

    answer = _accept(provider.nas(nas_type))

    assert _attributes(answer) == {"Framed-Pool": ["v4"], "Framed-IPv6-Pool": ["v6"], of_prefixes: ["pd"]}


def test_timers(make_provider: MakeProvider) -> None:
    provider = make_provider("north", interim_seconds=600, session_timeout=86400, idle_timeout=900)
    provider.account("jane")
    provider.account("short", expires_at=timezone.now() + timedelta(hours=1))
    nas = provider.nas()

    jane, short = _accept(nas), _accept(nas, "short")

    assert jane.get("Acct-Interim-Interval") == 600
    assert jane.get("Session-Timeout") == 86400
    assert jane.get("Idle-Timeout") == 900
    assert 3590 <= short.get("Session-Timeout") <= 3901


def test_each_session_has_a_class_of_its_own(make_provider: MakeProvider) -> None:
    provider = make_provider("north", max_sessions=0)
    provider.account("jane")
    nas = provider.nas()

    tokens = {_accept(nas).get("Class") for _ in range(3)}

    assert len(tokens) == 3
    assert all(token[36:37] in (b"", b";") for token in tokens)
