"""Accounting as NASes send it: late, twice, incomplete, wrapped, restarted."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aaa.models import (
    Account,
    DailyUsage,
    HourlyUsage,
    Nas,
    OctetsMode,
    Session,
)
from ispcore.tenants.context import tenant_context
from tests.aaa.accounted import BEGAN, GIB4, Line, change_nas, the_session, totals, usage
from tests.aaa.radius_role import Radius

pytestmark = pytest.mark.django_db(transaction=True)


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
