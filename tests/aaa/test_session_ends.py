"""How sessions end and are put away, names that come again, and what accounting means for an allowance."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from aaa.models import Account, AccountState, Nas, PastSession, Session
from aaa.services import sweeping
from ispcore.events.models import Event
from ispcore.tenants.context import tenant_context
from tests.aaa.accounted import BEGAN, Line, change_nas, the_session, totals, usage
from tests.aaa.radius_role import Radius
from tests.factories import NasFactory

pytestmark = pytest.mark.django_db(transaction=True)


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
        self, radius: Radius, nas: Nas, jane: Account, same: dict[str, Any], ends: bool
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
