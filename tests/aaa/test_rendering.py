"""Golden tables: one rate as each type of NAS is told it."""

import pytest

from aaa.models.words import NasType
from aaa.rendering import (
    ATTRIBUTES,
    Rate,
    coa_pairs,
    coa_suffices,
    login_pairs,
    missing_names,
    render,
)
from demo.nas import RATE_LIMIT

# Download 50, upload 10: a renderer that swaps them cannot hide.
PLAIN = Rate(down_kbps=50_000, up_kbps=10_000)
NAMED = Rate(
    down_kbps=50_000,
    up_kbps=10_000,
    cisco_policy_in="UP-10",
    cisco_policy_out="DOWN-50",
    juniper_qos_profile="gold",
    huawei_qos_profile="home50",
    nokia_sla_profile="sla-50",
    nokia_subscriber_profile="sub-home",
    address_list="walled",
    filter_id="guests",
)
BURSTS = Rate(down_kbps=50_000, up_kbps=10_000, burst_down_kbps=100_000, burst_up_kbps=20_000)

GOLDEN = {
    ("mikrotik", PLAIN): [("Mikrotik-Rate-Limit", "10M/50M")],
    ("mikrotik", NAMED): [
        ("Mikrotik-Rate-Limit", "10M/50M"),
        ("Mikrotik-Address-List", "walled"),
        ("Filter-Id", "guests"),
    ],
    ("cisco", PLAIN): [],
    ("cisco", NAMED): [
        ("Cisco-AVPair", "ip:sub-qos-policy-in=UP-10"),
        ("Cisco-AVPair", "ip:sub-qos-policy-out=DOWN-50"),
        ("Filter-Id", "guests"),
    ],
    ("juniper", PLAIN): [("ERX-CoS-Shaping-Pmt-Type", "T02 50m")],
    ("juniper", NAMED): [("ERX-Qos-Profile-Name", "gold"), ("Filter-Id", "guests")],
    ("huawei", PLAIN): [
        ("Huawei-Input-Average-Rate", "10000000"),
        ("Huawei-Output-Average-Rate", "50000000"),
    ],
    ("huawei", BURSTS): [
        ("Huawei-Input-Average-Rate", "10000000"),
        ("Huawei-Output-Average-Rate", "50000000"),
        ("Huawei-Input-Peak-Rate", "20000000"),
        ("Huawei-Output-Peak-Rate", "100000000"),
    ],
    ("huawei", NAMED): [("Huawei-Qos-Profile-Name", "home50"), ("Filter-Id", "guests")],
    ("zte", PLAIN): [
        ("ZTE-Rate-Ctrl-SCR-Down", "50000"),
        ("ZTE-Rate-Ctrl-SCR-Up", "10000"),
        ("ZTE-Rate-Ctrl-SCR-Down-v6", "50000"),
        ("ZTE-Rate-Ctrl-SCR-Up-v6", "10000"),
    ],
    ("nokia", PLAIN): [
        ("Alc-Subscriber-QoS-Override", "e:r:rate=50000"),
        ("Alc-Subscriber-QoS-Override", "i:a:root:rate=10000"),
    ],
    ("nokia", NAMED): [
        ("Alc-SLA-Prof-Str", "sla-50"),
        ("Alc-Subsc-Prof-Str", "sub-home"),
        ("Filter-Id", "guests"),
    ],
    ("accel_ppp", PLAIN): [("Filter-Id", "50000/10000")],
    ("accel_ppp", NAMED): [("Filter-Id", "50000/10000")],
    ("wispr", PLAIN): [("WISPr-Bandwidth-Max-Down", "50000000"), ("WISPr-Bandwidth-Max-Up", "10000000")],
    ("other", PLAIN): [],
    ("other", NAMED): [("Filter-Id", "guests")],
}


@pytest.mark.parametrize(("nas_type", "rate"), GOLDEN, ids=str)
def test_a_login_carries_exactly_these_attributes(nas_type: str, rate: Rate) -> None:
    pairs = login_pairs(nas_type, render(nas_type, rate))

    assert pairs == GOLDEN[nas_type, rate]


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (PLAIN, "10M/50M"),
        (Rate(down_kbps=1_536, up_kbps=512), "512k/1536k"),
        (Rate(down_kbps=2_000_000, up_kbps=1_000_000), "1000M/2000M"),
        (Rate(up_kbps=10_000), "10M/0"),
        (Rate(down_kbps=50_000), "0/50M"),
        (Rate(), ""),
        (Rate(address_list="walled", priority=3), ""),
        # A burst without a threshold starts at the rate, and without a time it lasts a second.
        (BURSTS, "10M/50M 20M/100M 10M/50M 1/1"),
        (
            Rate(down_kbps=50_000, up_kbps=10_000, burst_down_kbps=100_000, burst_seconds=8),
            "10M/50M 0/100M 0/50M 8/8",
        ),
        (
            Rate(
                down_kbps=50_000,
                up_kbps=10_000,
                burst_down_kbps=100_000,
                burst_up_kbps=20_000,
                threshold_down_kbps=40_000,
                threshold_up_kbps=8_000,
                burst_seconds=10,
                priority=5,
                guaranteed_down_kbps=5_000,
                guaranteed_up_kbps=1_000,
            ),
            "10M/50M 20M/100M 8M/40M 10/10 5 1M/5M",
        ),
        # The parts are positional: what comes after a burst needs one that says "none".
        (Rate(down_kbps=50_000, up_kbps=10_000, priority=1), "10M/50M 0/0 0/0 0/0 1"),
        (
            Rate(down_kbps=50_000, up_kbps=10_000, guaranteed_down_kbps=5_000),
            "10M/50M 0/0 0/0 0/0 8 0/5M",
        ),
        # RouterOS refuses a minimum above the rate.
        (
            Rate(down_kbps=4_000, up_kbps=1_000, guaranteed_down_kbps=5_000, guaranteed_up_kbps=2_000),
            "1M/4M 0/0 0/0 0/0 8 1M/4M",
        ),
        (
            Rate(down_kbps=50_000, up_kbps=10_000, threshold_down_kbps=40_000, burst_seconds=9),
            "10M/50M",
        ),
    ],
)
def test_routeros_reads_upload_first_and_parts_by_position(rate: Rate, text: str) -> None:
    rendered = render("mikrotik", rate)[0]

    assert rendered == text
    assert not text or RATE_LIMIT.fullmatch(text)


def test_a_rate_above_32_bits_is_the_most_that_can_be_said() -> None:
    rate = Rate(down_kbps=10_000_000, up_kbps=4_294_967)

    assert render("huawei", rate)[1:3] == ("4294967000", "4294967295")
    assert render("wispr", rate)[:2] == ("4294967295", "4294967000")
    assert render("zte", rate)[:2] == ("10000000", "4294967")


@pytest.mark.parametrize("nas_type", ATTRIBUTES)
def test_no_rate_renders_nothing(nas_type: str) -> None:
    assert render(nas_type, Rate()) == ("", "", "", "", "", "")


@pytest.mark.parametrize("nas_type", ATTRIBUTES)
def test_every_value_has_an_attribute(nas_type: str) -> None:
    slots = render(nas_type, NAMED), render(nas_type, BURSTS)

    for rendered in slots:
        named = [name for name, value in zip(ATTRIBUTES[nas_type], rendered, strict=True) if value]
        assert all(named)


@pytest.mark.parametrize(
    ("nas_type", "names"),
    [
        ("mikrotik", ["Mikrotik-Rate-Limit", "Filter-Id"]),
        ("cisco", ["Cisco-AVPair", "Cisco-AVPair", "Filter-Id"]),
        ("nokia", ["Alc-SLA-Prof-Str", "Alc-Subsc-Prof-Str", "Filter-Id"]),
        ("accel_ppp", ["Filter-Id"]),
        ("wispr", []),
        ("other", []),
    ],
)
def test_a_coa_carries_what_the_type_may_be_told(nas_type: str, names: list[str]) -> None:
    pairs = coa_pairs(nas_type, render(nas_type, NAMED))

    assert [name for name, _ in pairs] == names


FASTER = Rate(down_kbps=100_000, up_kbps=20_000)


@pytest.mark.parametrize(
    ("nas_type", "before", "after", "suffices"),
    [
        ("mikrotik", PLAIN, FASTER, True),
        ("mikrotik", PLAIN, PLAIN, True),
        # The address list is not among what RouterOS lets a CoA change.
        ("mikrotik", PLAIN, NAMED, False),
        # A CoA sets values; it cannot take one away.
        ("mikrotik", PLAIN, Rate(), False),
        ("huawei", BURSTS, PLAIN, False),
        ("huawei", PLAIN, FASTER, True),
        ("nokia", PLAIN, NAMED, False),
        ("wispr", PLAIN, FASTER, False),
        ("wispr", PLAIN, PLAIN, True),
        ("other", PLAIN, NAMED, False),
        ("accel_ppp", PLAIN, FASTER, True),
    ],
)
def test_a_coa_suffices_unless_something_must_vanish(
    nas_type: str, before: Rate, after: Rate, suffices: bool
) -> None:
    assert coa_suffices(nas_type, render(nas_type, before), render(nas_type, after)) is suffices


def test_what_a_type_cannot_do_without_is_named() -> None:
    assert missing_names("cisco", PLAIN) == ("cisco_policy_in", "cisco_policy_out")
    assert missing_names("cisco", NAMED) == ()
    assert missing_names("other", PLAIN) == ("filter_id",)
    assert missing_names("mikrotik", PLAIN) == ()


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(KeyError):
        render("toaster", PLAIN)


def test_every_type_of_nas_is_rendered() -> None:
    assert set(ATTRIBUTES) == set(NasType.values)
