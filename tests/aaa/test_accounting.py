"""Accounting as NASes send it: late, twice, incomplete, wrapped, restarted."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aaa.models import (
    Account,
    AccountState,
    DailyUsage,
    HourlyUsage,
    Nas,
    OctetsMode,
    PastSession,
    Session,
)
from aaa.services import sweeping
from ispcore.events.models import Event
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from tests.aaa.radius_role import Radius, radius_connection
from tests.factories import AccountFactory, NasFactory

pytestmark = pytest.mark.django_db(transaction=True)

GIB4 = 2**32
BEGAN = timezone.now().replace(microsecond=0) - timedelta(hours=2)


@pytest.fixture
def radius(tenant: Tenant) -> Iterator[Radius]:
    with radius_connection() as connection:
        yield connection


@pytest.fixture
def nas(tenant: Tenant) -> Nas:
    with tenant_context(tenant.pk):
        made: Nas = NasFactory()
    return made


@pytest.fixture
def jane(tenant: Tenant) -> Account:
    with tenant_context(tenant.pk):
        made: Account = AccountFactory(username="jane")
    return made


class Line:
    """One session on a NAS; `send` says how old it is, in seconds, and what its counters show."""

    def __init__(self, radius: Radius, nas: Nas, *, began: datetime = BEGAN, **always: Any) -> None:
        self.radius, self.nas, self.began = radius, nas, began
        self.always = {"klass": str(uuid4()), "session_id": "81000001", **always}

    def send(
        self, kind: str, age: int = 0, up: int | None = None, down: int | None = None, **extra: Any
    ) -> "Line":
        given: dict[str, Any] = {
            "at": self.began + timedelta(seconds=age),
            "session_time": age,
            **self.always,
        }
        for direction, octets in (("in", up), ("out", down)):
            if octets is not None:
                given[f"{direction}_octets"] = octets % GIB4
                if octets >= GIB4:
                    given[f"{direction}_giga"] = octets // GIB4
        assert self.radius.accounting(self.nas.pk, kind, **{**given, **extra}) == 1
        return self


@pytest.fixture
def line(radius: Radius, nas: Nas, jane: Account) -> Line:
    return Line(radius, nas)


def the_session(nas: Nas) -> Session:
    with tenant_context(nas.tenant_id):
        session: Session = Session.objects.get()
    return session


def totals(nas: Nas) -> tuple[int, int, int, int]:
    session = the_session(nas)
    return session.in4_bytes, session.out4_bytes, session.in6_bytes, session.out6_bytes


def usage(nas: Nas, model: Any = DailyUsage) -> tuple[int, int]:
    with tenant_context(nas.tenant_id):
        rows = list(model.objects.all())
    return (
        sum(row.in4_bytes + row.in6_bytes for row in rows),
        sum(row.out4_bytes + row.out6_bytes for row in rows),
    )


def change_nas(nas: Nas, **fields: Any) -> None:
    with tenant_context(nas.tenant_id):
        Nas.objects.filter(pk=nas.pk).update(**fields)


class TestOneSession:
    def test_from_start_to_stop(self, line: Line, nas: Nas, jane: Account) -> None:
        line.always |= {
            "station": "AA:BB:CC:00:00:01", "called": "pppoe1", "nas_port_id": "vlan7", "framed_ip": "100.64.0.9",
            "framed_ipv6_prefix": "2001:db8:1::/64", "delegated_prefix": "2001:db8:aa00::/56",
            "nas_ip": "10.200.0.1", "klass": f"{uuid4()};active:7",
        }  # fmt: skip
        line.send("Start").send("Interim-Update", 300, 1000, 5000)
        line.send("Stop", 600, 3000, 9000, cause="User-Request")

        session = the_session(nas)
        assert (session.account_id, session.nas_id, session.username) == (jane.pk, nas.pk, "jane")
        assert (session.station, session.station_key) == ("AA:BB:CC:00:00:01", "aabbcc000001")
        assert (session.framed_ip, session.framed_ipv6_prefix) == ("100.64.0.9", "2001:db8:1::/64")
        assert (session.delegated_prefix, session.nas_ip_reported) == ("2001:db8:aa00::/56", "10.200.0.1")
        assert (session.called, session.nas_port_id) == ("pppoe1", "vlan7")
        assert (session.context, session.applied) == ("active", "active:7")
        assert str(session.class_token) == line.always["klass"][:36]
        assert (session.started_at, session.session_seconds) == (BEGAN, 600)
        assert session.stopped_at == session.last_event_at == BEGAN + timedelta(seconds=600)
        assert (session.ended_by, session.terminate_cause) == ("stop", "User-Request")
        assert totals(nas) == (3000, 9000, 0, 0)
        assert usage(nas) == usage(nas, HourlyUsage) == (3000, 9000)

    def test_an_older_report_after_a_newer_one_takes_nothing_back(self, line: Line, nas: Nas) -> None:
        line.send("Start").send("Interim-Update", 600, 9000, 90).send("Interim-Update", 300, 4000, 40)

        assert totals(nas)[:2] == usage(nas) == (9000, 90)
        assert the_session(nas).session_seconds == 600

    def test_a_stop_without_octets_keeps_what_was_counted(self, line: Line, nas: Nas) -> None:
        line.send("Start").send("Interim-Update", 300, 7000, 70).send("Stop", 400)

        assert totals(nas)[:2] == usage(nas) == (7000, 70)

    def test_without_a_start_it_began_when_its_age_says(self, line: Line, nas: Nas) -> None:
        line.send("Interim-Update", 3600, 500, 50)

        session = the_session(nas)
        assert (session.started_at, session.stopped_at) == (BEGAN, None)
        assert usage(nas) == (500, 50)

    def test_a_stop_alone_is_a_session(self, line: Line, nas: Nas) -> None:
        line.send("Stop", 3600, 500, 50)

        session = the_session(nas)
        assert (session.started_at, session.stopped_at) == (BEGAN, BEGAN + timedelta(seconds=3600))
        assert usage(nas) == (500, 50)

    def test_a_newer_report_after_the_stop_opens_it_again(self, line: Line, nas: Nas) -> None:
        line.send("Start").send("Stop", 300, 100, 10).send("Interim-Update", 600, 250, 25)

        session = the_session(nas)
        assert (session.stopped_at, session.ended_by, session.terminate_cause) == (None, "", "")
        assert usage(nas) == (250, 25)

    def test_an_older_report_after_the_stop_does_not(self, line: Line, nas: Nas) -> None:
        line.send("Start").send("Stop", 600, 100, 10).send("Interim-Update", 300, 50, 5).send("Start")

        assert the_session(nas).stopped_at == BEGAN + timedelta(seconds=600)

    def test_a_user_name_in_other_letters_is_the_same_session(self, line: Line, nas: Nas) -> None:
        line.send("Start", login="JANE").send("Interim-Update", 300, 10, 1, login="Jane")

        assert the_session(nas).username == "JANE"
        assert usage(nas) == (10, 1)

    def test_an_unknown_user_is_counted_on_the_session_alone(self, line: Line, nas: Nas) -> None:
        line.send("Start", login="nobody").send("Interim-Update", 300, 10, 1, login="nobody")

        assert the_session(nas).account_id is None
        assert totals(nas)[:2] == (10, 1)
        assert usage(nas) == (0, 0)

    @pytest.mark.parametrize(
        ("shift", "expected"),
        [(timedelta(days=-30), timedelta(days=-7)), (timedelta(days=2), timedelta(seconds=60))],
        ids=["long ago", "in the future"],
    )
    def test_a_clock_is_believed_within_bounds(
        self, radius: Radius, nas: Nas, jane: Account, shift: timedelta, expected: timedelta
    ) -> None:
        now = timezone.now()

        radius.accounting(nas.pk, "Start", at=now + shift)

        assert abs(the_session(nas).started_at - (now + expected)) < timedelta(seconds=20)

    def test_without_a_clock_the_delay_counts(self, radius: Radius, nas: Nas, jane: Account) -> None:
        now = timezone.now()

        radius.accounting(nas.pk, "Start", event_epoch="", delay=120)

        assert abs(the_session(nas).started_at - (now - timedelta(seconds=120))) < timedelta(seconds=20)

    @pytest.mark.parametrize("login", ["x' OR '1'='1", "a\\'b", "'); DROP TABLE aaa_session; --"])
    def test_sql_in_a_name_is_a_name(self, line: Line, nas: Nas, login: str) -> None:
        line.send("Start", login=login, session_id=login, cause=login, called=login)

        session = the_session(nas)
        assert (session.username, session.acct_session_id, session.called) == (login, login, login)


class TestCounters:
    def test_gigawords_are_the_upper_half(self, line: Line, nas: Nas) -> None:
        line.send("Start").send("Interim-Update", 300, 3 * GIB4 + 5, 2**56 - 1)

        assert totals(nas)[:2] == usage(nas) == (3 * GIB4 + 5, 2**56 - 1)
        with tenant_context(nas.tenant_id):
            assert Nas.objects.get().sends_gigawords

    def test_what_no_line_can_count_is_not_counted(self, line: Line, nas: Nas) -> None:
        line.send("Start").send("Interim-Update", 300, 2**64 - 1, 2**56).send("Interim-Update", 600, 10, 20)

        assert totals(nas)[:2] == usage(nas) == (10, 20)

    def test_without_gigawords_a_counter_that_fell_has_wrapped_once(self, line: Line, nas: Nas) -> None:
        line.send("Start").send("Interim-Update", 300, GIB4 - 100, 7)

        line.send("Interim-Update", 600, 50, 9)

        assert totals(nas)[:2] == usage(nas) == (GIB4 + 50, 9)

    @pytest.mark.parametrize("repeated", [(300, GIB4 - 100), (600, 50)])
    def test_a_wrap_is_not_counted_again(self, line: Line, nas: Nas, repeated: tuple[int, int]) -> None:
        line.send("Start").send("Interim-Update", 300, GIB4 - 100).send("Interim-Update", 600, 50)

        line.send("Interim-Update", *repeated)

        assert totals(nas)[0] == usage(nas)[0] == GIB4 + 50

    def test_a_wrap_is_noticed_from_the_report_that_came_late(self, line: Line, nas: Nas) -> None:
        line.send("Start").send("Interim-Update", 600, 50)

        for _ in range(2):
            line.send("Interim-Update", 300, GIB4 - 100)

        assert totals(nas)[0] == usage(nas)[0] == GIB4 + 50

    def test_where_gigawords_are_sent_a_counter_that_fell_began_anew(self, line: Line, nas: Nas) -> None:
        change_nas(nas, sends_gigawords=True)
        line.send("Start").send("Interim-Update", 300, 1000, 1000)

        line.send("Interim-Update", 600, 40, 1100).send("Interim-Update", 900, 60, 1200)

        assert totals(nas)[:2] == usage(nas) == (1060, 1200)

    def test_a_nas_that_counts_the_other_way_round(self, line: Line, nas: Nas) -> None:
        change_nas(nas, swaps_octets=True)

        line.send("Start").send("Interim-Update", 300, 10, GIB4 + 20)

        assert totals(nas)[:2] == usage(nas) == (GIB4 + 20, 10)

    @pytest.mark.parametrize(
        ("mode", "expected"),
        [
            (OctetsMode.COMBINED, (1000, 2000, 0, 0)),
            (OctetsMode.V6_INCLUDED, (600, 1500, 400, 500)),
            (OctetsMode.V6_SEPARATE, (1000, 2000, 400, 500)),
        ],
    )
    def test_ipv6_as_the_nas_counts_it(
        self, line: Line, nas: Nas, mode: OctetsMode, expected: tuple[int, int, int, int]
    ) -> None:
        change_nas(nas, octets_mode=mode)

        for age, part in ((300, 2), (600, 1)):
            line.send(
                "Interim-Update",
                age,
                1000 // part,
                2000 // part,
                in6_octets=400 // part,
                out6_octets=500 // part,
            )

        assert totals(nas) == expected
        with tenant_context(nas.tenant_id):
            day = DailyUsage.objects.get()
        assert (day.in4_bytes, day.out4_bytes, day.in6_bytes, day.out6_bytes) == expected

    def test_ipv6_counters_have_upper_halves_too(self, line: Line, nas: Nas) -> None:
        change_nas(nas, octets_mode=OctetsMode.V6_SEPARATE, swaps_octets=True)

        line.send("Start").send(
            "Interim-Update", 300, 1, 2, in6_octets=3, in6_giga=1, out6_octets=4, out6_giga=2
        )

        assert totals(nas) == (2, 1, 2 * GIB4 + 4, GIB4 + 3)


class TestEnds:
    def test_a_restart_closes_what_the_nas_forgot_at_its_last_report(
        self, line: Line, radius: Radius, nas: Nas
    ) -> None:
        line.send("Start").send("Interim-Update", 300, 10, 1)
        later = Line(radius, nas, began=BEGAN + timedelta(seconds=2000), session_id="81000002")
        later.send("Start")

        line.send("Accounting-On", 1000, login="", session_id="")

        with tenant_context(nas.tenant_id):
            first, second = Session.objects.order_by("started_at")
        assert (first.stopped_at, first.ended_by) == (BEGAN + timedelta(seconds=300), "nas")
        assert first.terminate_cause == "NAS-Reboot"
        assert second.stopped_at is None

    @pytest.mark.parametrize("kind", ["Accounting-On", "Accounting-Off"])
    def test_what_survived_the_restart_is_open_again(self, line: Line, nas: Nas, kind: str) -> None:
        line.send("Start").send("Interim-Update", 300, 10, 1).send(kind, 400, login="", session_id="")

        line.send("Interim-Update", 600, 30, 3)

        assert the_session(nas).stopped_at is None
        assert usage(nas) == (30, 3)

    def test_a_restart_of_one_nas_is_none_of_another(self, line: Line, radius: Radius, nas: Nas) -> None:
        line.send("Start")
        with tenant_context(nas.tenant_id):
            other = NasFactory()

        radius.accounting(other.pk, "Accounting-On", login="")

        assert the_session(nas).stopped_at is None

    @pytest.mark.parametrize(
        ("same", "ends"),
        [
            ({"framed_ip": "100.64.0.9"}, True),
            ({"station": "aa:bb:cc:00:00:01", "nas_port_id": "vlan7"}, True),
            ({"station": "aa:bb:cc:00:00:01"}, True),
            ({"nas_port_id": "vlan7"}, False),
            ({}, False),
        ],
    )
    def test_a_start_in_its_place_ends_the_one_before(
        self, radius: Radius, nas: Nas, jane: Account, same: dict[str, str], ends: bool
    ) -> None:
        Line(radius, nas, **same).send("Start").send("Interim-Update", 300, 10, 1)

        Line(radius, nas, session_id="81000002", began=BEGAN + timedelta(seconds=400), **same).send("Start")

        with tenant_context(nas.tenant_id):
            first, second = Session.objects.order_by("started_at")
        assert (first.ended_by, first.stopped_at) == (
            ("replaced", BEGAN + timedelta(seconds=300)) if ends else ("", None)
        )
        assert second.stopped_at is None

    def test_a_start_from_the_spool_ends_nothing_that_began_later(
        self, radius: Radius, nas: Nas, jane: Account
    ) -> None:
        Line(radius, nas, framed_ip="100.64.0.9").send("Start")

        Line(radius, nas, session_id="1", began=BEGAN - timedelta(hours=1), framed_ip="100.64.0.9").send(
            "Start"
        )

        with tenant_context(nas.tenant_id):
            assert Session.objects.filter(stopped_at=None).count() == 2

    def test_silence_closes_it_at_the_last_report_and_a_report_opens_it(
        self, line: Line, radius: Radius, nas: Nas
    ) -> None:
        line.send("Start").send("Interim-Update", 300, 10, 1)
        with tenant_context(nas.tenant_id):
            Session.objects.update(last_seen_at=timezone.now() - timedelta(seconds=901))
        other = Line(radius, nas, session_id="81000002", began=timezone.now()).send("Start")

        assert sweeping.close_stale_sessions() == 1

        with tenant_context(nas.tenant_id):
            closed = Session.objects.exclude(acct_session_id=other.always["session_id"]).get()
        assert (closed.ended_by, closed.stopped_at) == ("stale", BEGAN + timedelta(seconds=300))
        line.send("Interim-Update", 600, 20, 2)
        with tenant_context(nas.tenant_id):
            assert Session.objects.filter(stopped_at=None).count() == 2

    def test_a_nas_that_is_silent_altogether_is_given_an_hour(self, line: Line, nas: Nas) -> None:
        line.send("Start")
        change_nas(nas, last_acct_at=timezone.now() - timedelta(minutes=50))
        with tenant_context(nas.tenant_id):
            Session.objects.update(last_seen_at=timezone.now() - timedelta(minutes=50))
        assert sweeping.close_stale_sessions() == 0

        with tenant_context(nas.tenant_id):
            Session.objects.update(last_seen_at=timezone.now() - timedelta(minutes=61))

        assert sweeping.close_stale_sessions() == 1


class TestPast:
    def age(self, nas: Nas) -> None:
        with tenant_context(nas.tenant_id):
            Session.objects.update(last_seen_at=timezone.now() - timedelta(minutes=16))

    def test_what_ended_is_moved_after_a_quarter_of_an_hour(self, line: Line, nas: Nas) -> None:
        line.send("Start").send("Stop", 600, 10, 1, cause="User-Request")
        before = the_session(nas)
        assert sweeping.move_closed_sessions() == 0
        self.age(nas)

        assert sweeping.move_closed_sessions() == 1
        assert sweeping.move_closed_sessions() == 0

        with tenant_context(nas.tenant_id):
            past = PastSession.objects.get()
            assert not Session.objects.exists()
        for field in PastSession._meta.concrete_fields:
            if field.name != "last_seen_at":
                assert getattr(past, field.attname) == getattr(before, field.attname), field.name

    @pytest.mark.parametrize(
        ("kind", "age", "octets", "is_open"),
        [("Start", 0, 0, False), ("Interim-Update", 300, 5, False), ("Stop", 600, 10, False),
         ("Interim-Update", 900, 30, True)],
    )  # fmt: skip
    def test_a_straggler_finds_its_session_there(
        self, line: Line, nas: Nas, kind: str, age: int, octets: int, is_open: bool
    ) -> None:
        line.send("Start").send("Stop", 600, 10, 10)
        self.age(nas)
        sweeping.move_closed_sessions()

        line.send(kind, age, octets, octets)

        with tenant_context(nas.tenant_id):
            assert not PastSession.objects.exists()
        assert (the_session(nas).stopped_at is None) is is_open
        assert totals(nas)[:2] == usage(nas) == ((30, 30) if is_open else (10, 10))

    def test_an_open_session_is_never_moved(self, line: Line, nas: Nas) -> None:
        line.send("Start")
        self.age(nas)

        assert sweeping.move_closed_sessions() == 0


class TestNamesUsedAgain:
    """A NAS that counts its sessions from 1 after a restart, and does not echo our Class."""

    @pytest.fixture
    def first(self, radius: Radius, nas: Nas, jane: Account) -> Line:
        return Line(radius, nas, klass="", station="aa:bb:cc:00:00:01")

    @pytest.fixture
    def second(self, radius: Radius, nas: Nas, jane: Account) -> Line:
        return Line(radius, nas, klass="", station="aa:bb:cc:00:00:02", began=BEGAN + timedelta(hours=1))

    def rows(self, nas: Nas) -> list[tuple[datetime, int, str]]:
        with tenant_context(nas.tenant_id):
            return list(
                Session.objects.order_by("started_at").values_list("started_at", "in4_bytes", "ended_by")
            )

    def test_is_another_session(self, first: Line, second: Line, nas: Nas) -> None:
        first.send("Start").send("Interim-Update", 300, 100)

        second.send("Start").send("Interim-Update", 300, 7)

        assert self.rows(nas) == [(first.began, 100, "replaced"), (second.began, 7, "")]
        assert usage(nas)[0] == 107

    def test_late_packets_find_their_own(self, first: Line, second: Line, nas: Nas) -> None:
        first.send("Start").send("Interim-Update", 300, 100)
        second.send("Start").send("Interim-Update", 300, 7)

        for _ in range(2):
            first.send("Stop", 600, 150)
            second.send("Interim-Update", 600, 9)

        assert self.rows(nas) == [(first.began, 150, "stop"), (second.began, 9, "")]
        assert usage(nas)[0] == 159

    def test_with_our_class_they_are_never_mixed_up(self, radius: Radius, nas: Nas, jane: Account) -> None:
        lines = [Line(radius, nas) for _ in range(2)]

        for each in lines:
            each.send("Start").send("Interim-Update", 300, 100)

        assert [octets for _, octets, _ in self.rows(nas)] == [100, 100]


class TestAllowance:
    def allow(self, jane: Account, octets: int | None, **fields: Any) -> None:
        with tenant_context(jane.tenant_id):
            AccountState.objects.filter(account=jane).update(allowance_bytes=octets, **fields)

    def state(self, jane: Account) -> AccountState:
        with tenant_context(jane.tenant_id):
            state: AccountState = AccountState.objects.get()
        return state

    def test_passing_it_is_told_once(self, line: Line, nas: Nas, jane: Account) -> None:
        self.allow(jane, 1000)
        line.send("Start").send("Interim-Update", 300, 400, 599)
        assert (self.state(jane).used_bytes, self.state(jane).depleted_at) == (999, None)

        for age, up in ((600, 401), (600, 401), (900, 500), (1200, 600)):
            line.send("Interim-Update", age, up, 599)

        assert self.state(jane).used_bytes == 1199
        assert self.state(jane).depleted_at is not None
        with tenant_context(jane.tenant_id):
            told = Event.objects.filter(name="aaa.quota_depleted")
            assert [event.payload for event in told] == [{"account_id": str(jane.pk)}]

    def test_what_has_no_allowance_is_not_counted(self, line: Line, jane: Account, nas: Nas) -> None:
        line.send("Start").send("Interim-Update", 300, 400, 599)

        assert self.state(jane).used_bytes == 0
        assert usage(nas) == (400, 599)

    def test_nor_what_is_uncapped(self, line: Line, jane: Account) -> None:
        self.allow(jane, 1)
        with tenant_context(jane.tenant_id):
            Account.objects.update(uncapped_data=True)

        line.send("Start").send("Interim-Update", 300, 400, 599)

        assert (self.state(jane).used_bytes, self.state(jane).depleted_at) == (0, None)

    def test_the_account_shows_where_it_was_last(self, line: Line, nas: Nas, jane: Account) -> None:
        line.send("Start", framed_ip="100.64.0.9")

        state = self.state(jane)
        assert state.last_seen_at is not None
        assert (state.last_nas_id, state.last_ip) == (nas.pk, "100.64.0.9")


PACKETS = st.lists(
    st.tuples(st.integers(1, 4000), st.integers(0, 2**34), st.integers(0, 2**34), st.booleans()),
    min_size=1,
    max_size=6,
)


class TestAnyOrder:
    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(steps=PACKETS, data=st.data(), stops=st.booleans(), mode=st.sampled_from(OctetsMode))
    def test_any_order_and_any_repetition_gives_the_same(
        self, radius: Radius, nas: Nas, jane: Account,
        steps: list[tuple[int, int, int, bool]], data: st.DataObject, stops: bool, mode: OctetsMode,
    ) -> None:  # fmt: skip
        change_nas(nas, octets_mode=mode, sends_gigawords=True)
        age = up = down = 0
        packets: list[tuple[str, int, int | None, int | None]] = [("Start", 0, None, None)]
        for wait, more_up, more_down, counts in steps:
            age, up, down = age + wait, up + more_up, down + more_down
            packets.append(
                ("Interim-Update", age, up, down) if counts else ("Interim-Update", age, None, None)
            )
        if stops:
            packets.append(("Stop", age + 1, up, down))
        counted = [packet for packet in packets if packet[2] is not None]
        total_up, total_down = (counted[-1][2] or 0, counted[-1][3] or 0) if counted else (0, 0)
        sent = data.draw(st.permutations(packets + data.draw(st.lists(st.sampled_from(packets), max_size=6))))
        line = Line(radius, nas, session_id=str(uuid4()), began=BEGAN - timedelta(hours=6))
        before = usage(nas), usage(nas, HourlyUsage)

        for kind, at, octets_up, octets_down in sent:
            six = {} if octets_up is None else {"in6_octets": octets_up // 8, "out6_octets": 0}
            six = {name: value % GIB4 for name, value in six.items()} | {
                f"{name.partition('_')[0]}_giga": value // GIB4 for name, value in six.items()
            }
            line.send(kind, at, octets_up, octets_down, **six)

        with tenant_context(nas.tenant_id):
            session = Session.objects.get(acct_session_id=line.always["session_id"])
        up6 = 0 if mode == OctetsMode.COMBINED else total_up // 8
        up4 = total_up - up6 if mode == OctetsMode.V6_INCLUDED else total_up
        assert (session.in4_bytes, session.out4_bytes, session.in6_bytes) == (up4, total_down, up6)
        assert session.session_seconds == packets[-1][1]
        assert session.started_at == line.began
        assert (session.stopped_at is not None) == stops
        for was, model in zip(before, (DailyUsage, HourlyUsage), strict=True):
            now = usage(nas, model)
            assert (now[0] - was[0], now[1] - was[1]) == (up4 + up6, total_down)


def test_interim_reports_stay_in_their_page(line: Line, nas: Nas) -> None:
    """No index holds what they change, so that PostgreSQL writes no index entry for them (HOT)."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT array_agg(DISTINCT a.attname::text) FROM pg_index i JOIN pg_attribute a "
            "ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey) WHERE i.indrelid = 'aaa_session'::regclass"
        )
        (indexed,) = cursor.fetchone()

    assert set(indexed) == {
        "id", "tenant_id", "unique_key", "account_id", "nas_id", "framed_ip", "started_at", "stopped_at",
    }  # fmt: skip
