"""CGNAT: the mapping and its inverse, rules over time, and who is told to lawful requests."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipam.models import Address, AddressState, CgnatRule, PastAssignment, Pool, Purpose, Vrf
from ipam.services import cgnat, ranges
from ispcore.errors import DomainError
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import AuditEntry
from tests.factories import SubscriptionFactory

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
NOBODY = UUID(int=0)  # The mapping itself asks no database.
RULE: dict[str, Any] = {
    "name": "North", "inside_first": "100.64.0.0", "inside_last": "100.64.0.255",
    "public_first": "203.0.113.0", "public_last": "203.0.113.7",
}  # fmt: skip


@pytest.fixture
def vrf(acting) -> Vrf:
    made: Vrf = Vrf.objects.create(name="default")
    return made


def make_rule(vrf: Vrf, **fields: Any) -> CgnatRule:
    return cgnat.create_rule(**{**RULE, "vrf_id": vrf.pk, "valid_from": NOON, **fields})


def hold(vrf: Vrf, address: str, line: Any = None, *, since: datetime, to: str = "") -> Address:
    row: Address = Address.objects.create(
        vrf=vrf, address=address, state=AddressState.ASSIGNED, subscription=line, assigned_to=to, assigned_at=since
    )  # fmt: skip
    return row


def look_up(port: int = 1024, moment: datetime = NOON, **fields: Any) -> cgnat.Answer:
    return cgnat.look_up(
        **{
            "public_address": "203.0.113.0", "port": port, "moment": moment, "reference": "Court 7/26",
            "at": NOON + 1000 * HOUR, "user_id": None, "ip": "192.0.2.9", "request_id": "req_1", **fields,
        }
    )  # fmt: skip


@st.composite
def rules(draw: st.DrawFn) -> CgnatRule:
    first_port = draw(st.integers(1, 65_535))
    ports = draw(st.integers(1, 65_536 - first_port))
    blocks = (65_536 - first_port) // ports
    count = draw(st.integers(1, 5_000))
    inside = draw(st.integers(0, 2**32 - count))
    public = draw(st.integers(0, 2**32 - -(-count // blocks)))
    return CgnatRule(
        tenant_id=NOBODY,
        inside_first=ranges.text_of(inside, 4),
        inside_last=ranges.text_of(inside + count - 1, 4),
        public_first=ranges.text_of(public, 4),
        public_last=ranges.text_of(public - (-count // blocks) - 1, 4),
        first_port=first_port,
        ports_per_line=ports,
    )


class TestMapping:
    def test_is_that_of_the_worked_example(self):
        rule = CgnatRule(**RULE, tenant_id=NOBODY, first_port=1024, ports_per_line=2016)

        assert cgnat.block_of(rule, "100.64.0.0") == cgnat.PortBlock("203.0.113.0", 1024, 3039)
        assert cgnat.block_of(rule, "100.64.0.31") == cgnat.PortBlock("203.0.113.0", 63_520, 65_535)
        assert cgnat.block_of(rule, "100.64.0.32") == cgnat.PortBlock("203.0.113.1", 1024, 3039)
        assert cgnat.block_of(rule, "100.64.1.0") is None
        assert cgnat.block_of(rule, "2001:db8::1") is None
        assert cgnat.inside_of(rule, "203.0.113.1", 3039) == "100.64.0.32"
        assert cgnat.inside_of(rule, "203.0.113.1", 3040) == "100.64.0.33"
        assert cgnat.inside_of(rule, "203.0.113.0", 1023) is None
        assert cgnat.inside_of(rule, "203.0.112.255", 1024) is None
        assert cgnat.inside_of(rule, "203.0.113.8", 1024) is None

    @settings(deadline=None)
    @given(rules(), st.data())
    def test_backward_is_the_inverse_of_forward(self, rule, data):
        count = ranges.number_of(rule.inside_last) - ranges.number_of(rule.inside_first)
        inside = ranges.text_of(ranges.number_of(rule.inside_first) + data.draw(st.integers(0, count)), 4)

        block = cgnat.block_of(rule, inside)

        assert block is not None
        assert rule.first_port <= block.first_port <= block.last_port <= 65_535
        public = ranges.number_of(block.public_address)
        assert ranges.number_of(rule.public_first) <= public <= ranges.number_of(rule.public_last)
        port = data.draw(st.integers(block.first_port, block.last_port))
        assert cgnat.inside_of(rule, block.public_address, port) == inside

    @settings(deadline=None)
    @given(rules(), st.data())
    def test_forward_is_the_inverse_of_backward(self, rule, data):
        spread = ranges.number_of(rule.public_last) - ranges.number_of(rule.public_first)
        public = ranges.text_of(ranges.number_of(rule.public_first) + data.draw(st.integers(0, spread)), 4)
        port = data.draw(st.integers(0, 65_535))

        inside = cgnat.inside_of(rule, public, port)

        if inside is None:
            return
        block = cgnat.block_of(rule, inside)
        assert block is not None
        assert block.public_address == public
        assert block.first_port <= port <= block.last_port

    @settings(deadline=None)
    @given(rules(), st.data())
    def test_no_two_lines_share_a_port(self, rule, data):
        count = ranges.number_of(rule.inside_last) - ranges.number_of(rule.inside_first)
        numbers = data.draw(st.lists(st.integers(0, count), min_size=1, max_size=20, unique=True))
        first = ranges.number_of(rule.inside_first)

        blocks = [cgnat.block_of(rule, ranges.text_of(first + number, 4)) for number in numbers]

        taken = sorted((b.public_address, b.first_port, b.last_port) for b in blocks if b)
        assert len(taken) == len(numbers)
        for (address, _, last), (other, begin, _) in pairwise(taken):
            assert address != other or last < begin


@pytest.mark.django_db
class TestRules:
    def test_a_rule_is_kept_as_given(self, vrf):
        rule = make_rule(vrf, ports_per_line=4032, public_last="203.0.113.15", note="BRAS 1")

        stored = CgnatRule.objects.get()
        assert stored == rule
        assert (stored.first_port, stored.ports_per_line, stored.valid_until) == (1024, 4032, None)

    @pytest.mark.parametrize(
        ("fields", "code", "field"),
        [
            ({"inside_last": "100.63.0.0"}, "cgnat_range_wrong", "inside_first"),
            ({"inside_first": "2001:db8::1"}, "cgnat_range_wrong", "inside_first"),
            ({"public_last": "203.0.112.0"}, "cgnat_range_wrong", "public_first"),
            ({"first_port": 60_000, "ports_per_line": 5537}, "cgnat_ports_wrong", "ports_per_line"),
            ({"public_last": "203.0.113.6"}, "cgnat_public_too_small", "public_last"),
        ],
    )
    def test_one_that_cannot_be_is_refused(self, fields, code, field, vrf):
        with pytest.raises(DomainError) as refusal:
            make_rule(vrf, **fields)

        assert (refusal.value.code, refusal.value.field, refusal.value.status) == (code, field, 422)
        assert not CgnatRule.objects.exists()

    def test_what_is_missing_is_told_in_numbers(self, vrf):
        with pytest.raises(cgnat.CgnatPublicTooSmall) as refusal:
            make_rule(vrf, public_last="203.0.113.2")

        assert str(refusal.value) == (
            "256 inside addresses with 2016 ports each need 8 public addresses; 3 are given."
        )

    def test_a_pool_is_one_for_cgnat_of_the_same_vrf(self, vrf):
        dynamic = Pool.objects.create(vrf=vrf, name="Home", prefix_length=32)
        other = Pool.objects.create(
            vrf=Vrf.objects.create(name="Other"), name="Else", prefix_length=32, purpose=Purpose.CGNAT
        )

        for pool, why in ((dynamic, "one for “Dynamic”"), (other, "of another VRF")):
            with pytest.raises(cgnat.CgnatPoolUnfit, match=why):
                make_rule(vrf, pool_id=pool.pk)
        assert not CgnatRule.objects.exists()

    @pytest.mark.parametrize(
        ("side", "fields"),
        [
            ("inside", {"public_first": "198.51.100.0", "public_last": "198.51.100.7"}),
            ("public", {"inside_first": "100.65.0.0", "inside_last": "100.65.0.255"}),
        ],
    )
    def test_two_at_one_time_never_overlap(self, side, fields, vrf):
        make_rule(vrf)

        with pytest.raises(cgnat.CgnatRuleOverlaps, match=f"“North” already says .* {side} addresses"):
            make_rule(vrf, name="Second", valid_from=NOON + HOUR, **fields)

        assert CgnatRule.objects.get().name == "North"

    def test_one_follows_the_other(self, vrf):
        first = make_rule(vrf)

        cgnat.end_rule(rule_id=first.pk, at=NOON + HOUR)
        second = make_rule(vrf, name="Second", valid_from=NOON + HOUR, ports_per_line=2000)

        first.refresh_from_db()
        assert first.valid_until == second.valid_from == NOON + HOUR

    def test_ending_is_safe_to_repeat_and_never_rewritten(self, vrf):
        rule = make_rule(vrf)
        cgnat.end_rule(rule_id=rule.pk, at=NOON + HOUR)

        cgnat.end_rule(rule_id=rule.pk, at=NOON + 2 * HOUR)
        with pytest.raises(cgnat.CgnatRuleEnded):
            cgnat.end_rule(rule_id=rule.pk, at=NOON + 2 * HOUR, until=NOON + 3 * HOUR)

        rule.refresh_from_db()
        assert rule.valid_until == NOON + HOUR

    def test_an_end_to_come_may_be_moved_but_not_into_the_past(self, vrf):
        rule = make_rule(vrf)
        cgnat.end_rule(rule_id=rule.pk, at=NOON + HOUR, until=NOON + 5 * HOUR)

        with pytest.raises(cgnat.CgnatEndInThePast):
            cgnat.end_rule(rule_id=rule.pk, at=NOON + 2 * HOUR, until=NOON + HOUR)
        cgnat.end_rule(rule_id=rule.pk, at=NOON + 2 * HOUR, until=NOON + 4 * HOUR)

        rule.refresh_from_db()
        assert rule.valid_until == NOON + 4 * HOUR

    def test_only_one_that_never_was_valid_is_removed(self, vrf):
        rule = make_rule(vrf)

        with pytest.raises(cgnat.CgnatRuleNotBegun):
            cgnat.end_rule(rule_id=rule.pk, at=NOON - HOUR)
        with pytest.raises(cgnat.CgnatRuleHasBegun):
            cgnat.remove_rule(rule_id=rule.pk, at=NOON)
        assert CgnatRule.objects.count() == 1
        cgnat.remove_rule(rule_id=rule.pk, at=NOON - HOUR)

        assert not CgnatRule.objects.exists()


@pytest.mark.django_db
class TestLookUp:
    def test_names_who_held_the_address_then_and_not_who_holds_it_now(self, vrf):
        make_rule(vrf)
        before, now = SubscriptionFactory(), SubscriptionFactory()
        PastAssignment.objects.create(
            vrf=vrf, address="100.64.0.0", subscription=before, began_at=NOON, ended_at=NOON + 5 * HOUR
        )
        hold(vrf, "100.64.0.0", now, since=NOON + 7 * HOUR)

        found = [look_up(moment=NOON + n * HOUR).subscription for n in (0, 4, 5, 6, 7, 9)]

        assert found == [before, before, None, None, now, now]

    def test_tells_from_when_to_when_it_was_held(self, vrf):
        make_rule(vrf)
        line = SubscriptionFactory()
        PastAssignment.objects.create(
            vrf=vrf, address="100.64.0.1", subscription=line, began_at=NOON, ended_at=NOON + HOUR
        )

        answer = look_up(port=3040)

        assert (answer.inside_address, answer.began_at, answer.ended_at) == ("100.64.0.1", NOON, NOON + HOUR)
        assert answer.subscription == line

    def test_answers_by_the_rule_that_was_valid_then(self, vrf):
        first = make_rule(vrf)
        cgnat.end_rule(rule_id=first.pk, at=NOON + HOUR)
        make_rule(
            vrf, name="Second", valid_from=NOON + HOUR, inside_first="100.64.0.1", inside_last="100.64.0.9"
        )
        one, two = SubscriptionFactory(), SubscriptionFactory()
        hold(vrf, "100.64.0.0", one, since=NOON - HOUR)
        hold(vrf, "100.64.0.1", two, since=NOON - HOUR)

        answers = [look_up(moment=NOON + minutes * HOUR / 60) for minutes in (-1, 0, 59, 60)]

        assert [each.subscription for each in answers] == [None, one, one, two]
        assert answers[0].rule is None

    def test_a_device_is_named_by_its_words(self, vrf):
        make_rule(vrf)
        hold(vrf, "100.64.0.0", since=NOON, to="core-1 loopback")

        answer = look_up()

        assert (answer.subscription, answer.assigned_to) == (None, "core-1 loopback")

    @pytest.mark.parametrize(
        ("port", "address", "told"),
        [
            (
                1024,
                "203.0.113.0",
                "203.0.113.0:1024 at 2026-03-01T12:00:00Z, for “Court 7/26”: service {number}",
            ),
            (5000, "203.0.113.0", "203.0.113.0:5000 at 2026-03-01T12:00:00Z, for “Court 7/26”: nobody"),
            (1024, "198.51.100.1", "198.51.100.1:1024 at 2026-03-01T12:00:00Z, for “Court 7/26”: nobody"),
        ],
    )
    def test_is_written_down_whether_it_finds_somebody_or_not(self, port, address, told, vrf):
        make_rule(vrf)
        line = SubscriptionFactory()
        hold(vrf, "100.64.0.0", line, since=NOON)

        look_up(port, public_address=address)

        entry = AuditEntry.objects.get()
        assert (entry.action, entry.ip, entry.request_id) == (
            "looked up a CGNAT address", "192.0.2.9", "req_1",
        )  # fmt: skip
        assert entry.detail == told.format(number=line.number)

    def test_the_future_is_refused(self, vrf):
        make_rule(vrf)

        with pytest.raises(cgnat.MomentInTheFuture):
            look_up(moment=NOON + HOUR, at=NOON)

        assert not AuditEntry.objects.exists()

    def test_another_providers_rule_says_nothing(self, vrf, other_tenant):
        with tenant_context(other_tenant.pk):
            theirs = Vrf.objects.create(name="default")
            make_rule(theirs)
            hold(theirs, "100.64.0.0", SubscriptionFactory(), since=NOON)

        answer = look_up()

        assert (answer.rule, answer.subscription) == (None, None)


@pytest.mark.django_db
def test_a_line_is_told_its_ports(vrf):
    make_rule(vrf)
    line = SubscriptionFactory()
    hold(vrf, "100.64.0.33", line, since=NOON)
    hold(vrf, "192.0.2.1", line, since=NOON)

    now = cgnat.mappings_of(subscription_id=line.pk, at=NOON + HOUR)
    before = cgnat.mappings_of(subscription_id=line.pk, at=NOON - HOUR)

    assert [(each.inside_address, each.block) for each in now] == [
        ("100.64.0.33", cgnat.PortBlock("203.0.113.1", 3040, 5055))
    ]
    assert before == []
