"""What becomes of a log-in: places held against the session limit, the device learned, the attempt logged."""

import threading
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from aaa.models import Account, AuthAttempt, MacLock, Nas, PolicyReply, Session
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from tests.aaa.deciding import HERE, THERE, attempts, change, past
from tests.aaa.radius_role import Radius, radius_connection

pytestmark = pytest.mark.django_db(transaction=True)


class TestSessionLimit:
    def test_the_same_device_may_come_back_before_its_old_session_is_known_to_be_over(
        self, radius: Radius, nas: Nas, jane: Account
    ) -> None:
        radius.accounting(nas.pk, "Start", station=HERE)

        assert radius.authorize(nas.pk, "jane", HERE.upper().replace(":", "-"))["reason"] == ""
        assert radius.authorize(nas.pk, "jane", THERE)["reason"] == "sessions"
        assert radius.authorize(nas.pk, "jane", "")["reason"] == "sessions"

    @pytest.mark.parametrize(
        ("limits", "reason"),
        [
            ({"max_sessions": 2}, ""),
            ({"max_sessions": 0}, ""),
            ({"profile_max_sessions": 0}, ""),
            ({"max_sessions": 1, "profile_max_sessions": 5}, "sessions"),
        ],
    )
    def test_the_accounts_own_limit_goes_before_the_profiles(
        self, radius: Radius, nas: Nas, jane: Account, limits: dict[str, int], reason: str
    ) -> None:
        change(jane, **limits)
        radius.accounting(nas.pk, "Start", station=HERE)

        assert radius.authorize(nas.pk, "jane", THERE)["reason"] == reason

    def test_a_session_nobody_reports_on_bars_nobody(self, radius: Radius, nas: Nas, jane: Account) -> None:
        radius.accounting(nas.pk, "Start", station=HERE)
        with tenant_context(jane.tenant_id):
            Session.objects.update(last_seen_at=past(seconds=901))

        assert radius.authorize(nas.pk, "jane", THERE)["reason"] == ""

    def test_a_place_is_held_from_accept_to_start_and_counts_once(
        self, radius: Radius, nas: Nas, jane: Account
    ) -> None:
        change(jane, max_sessions=2)
        answer = radius.authorize(nas.pk, "jane", HERE)
        radius.post_auth(nas.pk, "jane", HERE, klass=answer["class"])
        radius.accounting(nas.pk, "Start", station=HERE, klass=answer["class"])

        assert radius.authorize(nas.pk, "jane", THERE)["reason"] == ""

    def test_a_place_is_free_again_when_the_session_was_short(
        self, radius: Radius, nas: Nas, jane: Account
    ) -> None:
        klass = radius.authorize(nas.pk, "jane", HERE)["class"]
        radius.post_auth(nas.pk, "jane", HERE, klass=klass)
        assert radius.authorize(nas.pk, "jane", THERE)["reason"] == "sessions"

        radius.accounting(nas.pk, "Start", station=HERE, klass=klass)
        radius.accounting(nas.pk, "Stop", station=HERE, klass=klass, session_time=20)

        assert radius.authorize(nas.pk, "jane", THERE)["reason"] == ""

    @pytest.mark.parametrize("limit", [1, 3])
    @pytest.mark.parametrize("hands", [True, False])
    def test_log_ins_at_the_same_moment_take_no_more_places_than_there_are(
        self, radius: Radius, nas: Nas, jane: Account, tenant: Tenant, limit: int, hands: bool
    ) -> None:
        change(jane, max_sessions=limit)
        verdicts: list[str] = []
        together = threading.Barrier(8)

        def log_in(number: int) -> None:
            station = f"aa:bb:cc:00:01:{number:02x}"
            with radius_connection() as mine:
                answer = mine.authorize(nas.pk, "jane", station)
                assert answer["reason"] == ""
                together.wait()
                handed = answer["handed"] if hands else ""
                verdicts.append(mine.post_auth(nas.pk, "jane", station, klass=answer["class"], handed=handed))

        threads = [threading.Thread(target=log_in, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sorted(verdicts) == [""] * limit + ["sessions"] * (8 - limit)
        assert {reason: times for _, _, reason, times in attempts(tenant) if reason} == {
            "sessions": 8 - limit
        }


class TestDevice:
    def test_the_first_that_logs_in_is_learned(self, radius: Radius, nas: Nas, jane: Account) -> None:
        change(jane, profile_mac_lock=MacLock.LEARN, max_sessions=0)
        handed = radius.authorize(nas.pk, "jane", HERE)["handed"]

        assert radius.post_auth(nas.pk, "jane", HERE, handed=handed) == ""

        with tenant_context(jane.tenant_id):
            learned = Account.objects.get()
            assert (learned.calling_station_id, learned.calling_station_key) == (HERE, "aabbcc000001")
            assert [row.pgh_label for row in learned.history.order_by("pgh_id")] == [
                "created",
                "changed",
                "changed",
            ]
        assert radius.authorize(nas.pk, "jane", "AABB.CC00.0001")["reason"] == ""
        assert radius.authorize(nas.pk, "jane", THERE)["reason"] == "mac"

    def test_of_two_at_once_one_is_learned_and_the_other_refused(
        self, radius: Radius, nas: Nas, jane: Account
    ) -> None:
        change(jane, profile_mac_lock=MacLock.LEARN, max_sessions=0)
        verdicts: dict[str, str] = {}
        together = threading.Barrier(2)

        def log_in(station: str) -> None:
            with radius_connection() as mine:
                answer = mine.authorize(nas.pk, "jane", station)
                together.wait()
                verdicts[station] = mine.post_auth(nas.pk, "jane", station, handed=answer["handed"] or "")

        threads = [threading.Thread(target=log_in, args=(station,)) for station in (HERE, THERE)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sorted(verdicts.values()) == ["", "mac"]
        with tenant_context(jane.tenant_id):
            assert verdicts[Account.objects.get().calling_station_id] == ""

    @pytest.mark.parametrize("result", ["reject", "accept without lock"])
    def test_none_is_learned_of_a_refusal_or_without_being_asked(
        self, radius: Radius, nas: Nas, jane: Account, result: str
    ) -> None:
        if result == "reject":
            change(jane, profile_mac_lock=MacLock.LEARN)

        radius.post_auth(nas.pk, "jane", HERE, result=result.split()[0])

        with tenant_context(jane.tenant_id):
            assert Account.objects.get().calling_station_id == ""


class TestAttempts:
    def test_every_accept_is_a_row(self, radius: Radius, nas: Nas, jane: Account, tenant: Tenant) -> None:
        for _ in range(2):
            answer = radius.authorize(nas.pk, "jane", HERE)
            klass = answer["class"]
            radius.post_auth(nas.pk, "JANE", HERE, klass=klass, source="10.200.0.1", handed=answer["handed"])

        with tenant_context(tenant.pk):
            last = AuthAttempt.objects.order_by("-at").first()
            assert last is not None
            assert (last.account_id, last.nas_id, last.username, last.username_key) == (
                jane.pk,
                nas.pk,
                "JANE",
                "jane",
            )
            assert (last.station, last.source, last.reason) == (HERE, "10.200.0.1", "")
            assert str(last.class_token) == klass[:36]
            assert AuthAttempt.objects.count() == 2

    def test_a_device_that_keeps_trying_is_one_row_that_counts(
        self, radius: Radius, nas: Nas, jane: Account, tenant: Tenant
    ) -> None:
        for reason in ["", "", "", "disabled", "disabled"]:
            radius.post_auth(nas.pk, "jane", HERE, result="reject", reason=reason)

        assert attempts(tenant) == [("jane", False, "password", 3), ("jane", False, "disabled", 2)]

    def test_after_five_minutes_it_is_a_new_row(
        self, radius: Radius, nas: Nas, jane: Account, tenant: Tenant
    ) -> None:
        radius.post_auth(nas.pk, "jane", HERE, result="reject")
        with tenant_context(tenant.pk):
            AuthAttempt.objects.update(at=past(seconds=301))

        radius.post_auth(nas.pk, "jane", HERE, result="reject")

        assert attempts(tenant) == [("jane", False, "password", 1), ("jane", False, "password", 1)]

    def test_the_nas_shows_that_it_asks(self, radius: Radius, nas: Nas, tenant: Tenant) -> None:
        def seen() -> tuple[Any, Any]:
            with tenant_context(tenant.pk):
                row = Nas.objects.get()
            return row.last_auth_at, row.last_acct_at

        assert seen() == (None, None)
        radius.post_auth(nas.pk, "nobody", result="reject", reason="unknown")
        asked, none = seen()
        assert (asked is not None, none) == (True, None)

        radius.post_auth(nas.pk, "nobody", result="reject", reason="unknown")

        assert seen() == (asked, None)  # At most once a minute.


class TestOneCall:
    def test_an_accept_answers_what_two_calls_do_but_the_password(
        self, radius: Radius, nas: Nas, jane: Account, tenant: Tenant
    ) -> None:
        expected = radius.authorize(nas.pk, "jane", HERE)

        answer = radius.log_in(nas.pk, "jane", HERE, password="dial-in secret")

        assert answer.pop("password") is None
        assert str(answer.pop("class"))[36:] == str(expected.pop("class"))[36:]
        assert expected.pop("password") == "dial-in secret"
        assert answer == expected
        assert attempts(tenant) == [("jane", True, "", 1)]
        assert radius.authorize(nas.pk, "jane", THERE)["reason"] == "sessions"

    @pytest.mark.parametrize("password", ["", "dial-in secret ", "\x1fdial-in secret"])
    def test_a_wrong_password_is_refused_without_a_hint(
        self, radius: Radius, nas: Nas, jane: Account, tenant: Tenant, password: str
    ) -> None:
        answer = radius.log_in(nas.pk, "jane", HERE, password=password)

        assert (answer["reason"], answer["message"], answer["r1"], answer["class"]) == (
            "password",
            "",
            None,
            None,
        )
        assert attempts(tenant) == [("jane", False, "password", 1)]
        assert radius.authorize(nas.pk, "jane", THERE)["reason"] == ""

    @pytest.mark.parametrize("password", ["a\x1fb\x1ec", "\x1f", "pässwörd"])
    def test_a_password_may_hold_any_character(
        self, radius: Radius, nas: Nas, jane: Account, password: str
    ) -> None:
        change(jane, password=password)

        assert radius.log_in(nas.pk, "jane", HERE, password=password)["reason"] == ""
        assert radius.log_in(nas.pk, "jane", HERE, password=password + "x")["reason"] == "password"

    def test_what_bars_the_account_is_said_whatever_the_password(
        self, radius: Radius, nas: Nas, jane: Account, tenant: Tenant
    ) -> None:
        change(jane, enabled=False)

        answers = [radius.log_in(nas.pk, "jane", HERE, password=word) for word in ("dial-in secret", "wrong")]

        assert [(answer["reason"], answer["message"]) for answer in answers] == [
            ("disabled", "This account is switched off")
        ] * 2
        assert attempts(tenant) == [("jane", False, "disabled", 2)]

    def test_who_is_not_known_is_logged(
        self, radius: Radius, nas: Nas, jane: Account, tenant: Tenant
    ) -> None:
        assert radius.log_in(nas.pk, "nobody", HERE, password="x")["reason"] == "unknown"

        assert attempts(tenant) == [("nobody", False, "unknown", 1)]

    def test_of_two_devices_at_once_one_gets_the_last_place(
        self, radius: Radius, nas: Nas, jane: Account, tenant: Tenant
    ) -> None:
        start = threading.Barrier(2)
        reasons = []

        def log_in(station: str) -> None:
            with radius_connection() as mine:
                start.wait()
                reasons.append(mine.log_in(nas.pk, "jane", station, password="dial-in secret")["reason"])

        threads = [threading.Thread(target=log_in, args=(station,)) for station in (HERE, THERE)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sorted(reasons) == ["", "sessions"]


class TestControlCharacters:
    def test_what_separates_fields_is_refused_where_it_could_get_into_one(
        self, nas: Nas, jane: Account, tenant: Tenant
    ) -> None:
        with tenant_context(tenant.pk):
            profile = jane.service_profile
            profile.framed_pool = "pool\x1f"
            with pytest.raises(ValidationError, match="control characters"):
                profile.validate_constraints()
            with pytest.raises(IntegrityError, match="service_profile_printable"), transaction.atomic():
                profile.save()
            for field in ("r1", "r2", "r3", "r4", "r5", "r6"):
                with pytest.raises(IntegrityError, match="policy_reply_printable"), transaction.atomic():
                    PolicyReply.objects.update(**{field: "1M\x1e"})
            profile.refresh_from_db()
            assert "\x1f" not in profile.framed_pool
