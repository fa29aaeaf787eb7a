"""From the wish to the NAS and back: what becomes of an action and of its session."""

from datetime import timedelta

import pytest
from django.utils import timezone
from kombu.exceptions import OperationalError

from aaa.models import ActionCause, ActionKind, NasType, RadiusSettings, Session, SessionAction
from aaa.radius.verdicts import Outcome, Result, Verdict
from aaa.services import delivery
from aaa.services.actions import (
    AccountNotKnown,
    NoLiveSession,
    ServiceNotKnown,
    SessionNotKnown,
    live_sessions,
    request_coa,
    request_disconnect,
)
from aaa.services.outcomes import Ended, store
from ispcore.celery import app as celery
from ispcore.events.models import Event
from ispcore.tenants.context import tenant_context
from ispcore.tenants.fields import new_id
from tests.aaa.nas_peer import NasPeer
from tests.aaa.online import ACTIVE, make_account, make_nas, make_policy, make_session
from tests.factories import SubscriptionFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _bound(acting) -> None:
    """Everything here acts for one tenant."""


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A NAS that does not answer is given up after a moment."""
    monkeypatch.setattr(delivery, "PACE", (0.1,))


def send(tenant) -> int:
    return delivery.send_due(tenant_id=tenant.pk)


def ask_coa(*sessions: Session, cause: ActionCause = ActionCause.POLICY) -> list[SessionAction]:
    ids = request_coa(session_ids=[session.pk for session in sessions], cause=cause)
    return list(SessionAction.objects.filter(pk__in=ids).order_by("session_id"))


def ask_disconnect(*sessions: Session, cause: ActionCause = ActionCause.STAFF) -> list[SessionAction]:
    ids = request_disconnect(session_ids=[session.pk for session in sessions], cause=cause)
    return list(SessionAction.objects.filter(pk__in=ids).order_by("session_id"))


def summary(action: SessionAction) -> tuple[str, str, str, int | None]:
    action.refresh_from_db()
    return action.kind, action.state, action.outcome, action.error_cause


class TestCoa:
    def test_gives_the_session_what_its_account_wants(self, peer: NasPeer, tenant):
        session = make_session(make_nas(peer), make_account("amal", make_policy()), "coa-1")
        [action] = ask_coa(session)

        tried = send(tenant)

        assert tried == 1
        assert summary(action) == ("coa", "done", "ack", None)
        assert action.finished_at is not None
        assert action.claim_token is None
        assert action.wanted == ACTIVE
        [entry] = peer.of("coa-1")
        assert (entry["type"], entry["rate"], entry["user"]) == ("CoA-Request", "10M/50M", "amal")
        session.refresh_from_db()
        assert (session.applied, session.context, session.stopped_at) == (ACTIVE, "active", None)
        assert list(Event.objects.values_list("name", "payload")) == [
            ("aaa.action_finished", {"action_id": str(action.pk)})
        ]

    @pytest.mark.parametrize(
        ("context", "rate"),
        [("active", "10M/50M"), ("throttled", "1M/1M"), ("blocked", "512k/512k"), ("expired", "512k/512k")],
    )
    def test_takes_the_policy_of_the_context(self, peer: NasPeer, tenant, context: str, rate: str):
        garden = make_policy("Garden", down_kbps=512, up_kbps=512)
        slow = make_policy("Slow", down_kbps=1_000, up_kbps=1_000)
        RadiusSettings.objects.create(garden_policy=garden)
        account = make_account("amal", make_policy(), throttle_policy=slow, wanted=f"{context}:x.1.-.y")
        session = make_session(make_nas(peer), account, f"context-{context}")
        ask_coa(session)

        send(tenant)

        assert peer.of(f"context-{context}")[0]["rate"] == rate
        session.refresh_from_db()
        assert session.context == context

    @pytest.mark.parametrize("cause", [401, 402, 404, 405, 406, 407])
    def test_falls_back_to_a_disconnect(self, peer: NasPeer, tenant, cause: int):
        session = make_session(make_nas(peer), make_account("amal", make_policy()), f"stubborn-{cause}-1")
        [action] = ask_coa(session)

        send(tenant)

        assert summary(action) == ("disconnect", "done", "fallback", cause)
        sent = [entry["type"] for entry in peer.of(f"stubborn-{cause}-1")]
        assert sent == ["CoA-Request", "Disconnect-Request"]
        session.refresh_from_db()
        assert (session.applied, session.stopped_at) == ("", None)

    @pytest.mark.parametrize("nas_type", [NasType.WISPR, NasType.OTHER, NasType.CISCO])
    def test_disconnects_where_the_type_can_be_told_nothing(self, peer: NasPeer, tenant, nas_type: str):
        nas = make_nas(peer, nas_type)
        session = make_session(nas, make_account("amal", make_policy()), f"mute-{nas_type}")
        [action] = ask_coa(session, cause=ActionCause.STAFF)

        send(tenant)

        assert summary(action) == ("disconnect", "done", "fallback", None)
        assert [entry["type"] for entry in peer.of(f"mute-{nas_type}")] == ["Disconnect-Request"]

    def test_disconnects_who_may_not_be_online(self, peer: NasPeer, tenant):
        account = make_account("amal", make_policy(), wanted="refused:disabled")
        [action] = ask_coa(make_session(make_nas(peer), account, "refused-1"))

        send(tenant)

        assert summary(action) == ("disconnect", "done", "fallback", None)

    def test_without_a_policy_staff_are_told(self, peer: NasPeer, tenant):
        session = make_session(make_nas(peer), make_account("amal"), "bare-policy")
        [action] = ask_coa(session, cause=ActionCause.STAFF)

        send(tenant)

        assert summary(action) == ("coa", "failed", "unsendable", None)
        assert "no policy" in action.message
        assert peer.of("bare-policy") == []

    def test_of_a_session_the_nas_does_not_know_closes_it(self, peer: NasPeer, tenant):
        session = make_session(make_nas(peer), make_account("amal", make_policy()), "nak-503-c")
        [action] = ask_coa(session)

        send(tenant)

        assert summary(action) == ("coa", "done", "gone", 503)
        session.refresh_from_db()
        assert (session.stopped_at, session.ended_by) == (session.last_seen_at, "stale")


class TestDisconnect:
    def test_leaves_the_end_to_the_stop(self, peer: NasPeer, tenant):
        session = make_session(make_nas(peer), make_account("amal"), "end-1")
        [action] = ask_disconnect(session)

        send(tenant)

        assert summary(action) == ("disconnect", "done", "ack", None)
        assert peer.of("end-1")[0]["rate"] == ""
        session.refresh_from_db()
        assert session.stopped_at is None

    def test_of_a_session_that_is_gone_is_success_and_closes_the_row(self, peer: NasPeer, tenant):
        session = make_session(make_nas(peer), make_account("amal"), "nak-503-d")
        [action] = ask_disconnect(session)

        send(tenant)

        assert summary(action) == ("disconnect", "done", "gone", 503)
        session.refresh_from_db()
        assert (session.stopped_at, session.ended_by) == (session.last_seen_at, "disconnect")

    def test_of_a_session_that_ended_meanwhile_sends_nothing(self, peer: NasPeer, tenant):
        session = make_session(make_nas(peer), make_account("amal"), "ended-1")
        [action] = ask_disconnect(session)
        Session.objects.filter(pk=session.pk).update(stopped_at=session.last_seen_at, ended_by="stop")

        send(tenant)

        assert summary(action) == ("disconnect", "done", "gone", None)
        assert peer.of("ended-1") == []
        session.refresh_from_db()
        assert session.ended_by == "stop"

    def test_a_busy_nas_is_asked_again_later(self, peer: NasPeer, tenant):
        session = make_session(make_nas(peer), make_account("amal"), "nak-506-d")
        [action] = ask_disconnect(session)

        send(tenant)

        assert summary(action) == ("disconnect", "queued", "nak", 506)
        assert timedelta(seconds=3) < action.next_at - timezone.now() < timedelta(seconds=7)
        assert action.finished_at is None
        assert send(tenant) == 0

    @pytest.mark.parametrize("cause", [403, 501, 502, 504, 505, 508, 401])
    def test_what_only_people_can_mend_fails_at_once(self, peer: NasPeer, tenant, cause: int):
        session = make_session(make_nas(peer), make_account("amal"), f"nak-{cause}-d")
        [action] = ask_disconnect(session)

        send(tenant)

        assert summary(action) == ("disconnect", "failed", "nak", cause)
        assert action.message != ""

    @pytest.mark.usefixtures("quick")
    def test_silence_fails_after_five_attempts(self, tenant, peer: NasPeer):
        session = make_session(make_nas(peer), make_account("amal"), "drop-d")
        [action] = ask_disconnect(session)

        seen = []
        for _ in range(5):
            send(tenant)
            seen.append(summary(action)[:3])
            SessionAction.objects.update(next_at=timezone.now() - timedelta(minutes=1))

        assert seen == [("disconnect", "queued", "timeout")] * 4 + [("disconnect", "failed", "timeout")]
        assert action.attempts == 5
        assert send(tenant) == 0
        session.refresh_from_db()
        assert session.stopped_at is None

    @pytest.mark.usefixtures("quick")
    def test_another_secret_is_silence(self, tenant, peer: NasPeer):
        nas = make_nas(peer, secret="another")
        [action] = ask_disconnect(make_session(nas, make_account("amal"), "secret-d"))

        send(tenant)

        assert summary(action) == ("disconnect", "queued", "timeout", None)
        assert peer.of("secret-d") == []

    @pytest.mark.usefixtures("quick")
    def test_a_silent_nas_holds_up_no_other(self, tenant, peer: NasPeer):
        silent = make_session(make_nas(None), make_account("amal"), "far")
        near = make_session(make_nas(peer), make_account("noor"), "near-d")

        ask_disconnect(silent, near)
        send(tenant)

        outcomes = dict(SessionAction.objects.values_list("session_id", "outcome"))
        assert outcomes == {silent.pk: "timeout", near.pk: "ack"}


class TestOnePerSession:
    def test_asking_twice_is_asking_once(self, peer: NasPeer):
        session = make_session(make_nas(peer), make_account("amal"), "once")

        [first], [second] = ask_disconnect(session), ask_disconnect(session)

        assert first.pk == second.pk
        assert SessionAction.objects.count() == 1

    def test_a_disconnect_takes_the_place_of_a_coa(self, peer: NasPeer, tenant, admin_user):
        session = make_session(make_nas(peer), make_account("amal", make_policy()), "upgraded")
        [coa] = ask_coa(session)

        request_disconnect(session_ids=[session.pk], cause=ActionCause.STAFF, user_id=admin_user.pk)
        send(tenant)

        assert summary(coa) == ("disconnect", "done", "ack", None)
        assert (coa.cause, coa.requested_by_id) == ("staff", admin_user.pk)
        assert [entry["type"] for entry in peer.of("upgraded")] == ["Disconnect-Request"]

    def test_a_coa_takes_the_place_of_nothing(self, peer: NasPeer):
        session = make_session(make_nas(peer), make_account("amal", make_policy()), "kept")
        [disconnect] = ask_disconnect(session)

        [same] = ask_coa(session)

        assert same.pk == disconnect.pk
        assert (same.kind, same.cause) == ("disconnect", "staff")

    def test_asking_again_ends_a_pause(self, peer: NasPeer, tenant):
        session = make_session(make_nas(peer), make_account("amal"), "nak-506-again")
        ask_disconnect(session)
        send(tenant)

        ask_disconnect(session)

        assert send(tenant) == 1
        assert SessionAction.objects.get().attempts == 2

    def test_one_that_ended_is_followed_by_another(self, peer: NasPeer, tenant):
        session = make_session(make_nas(peer), make_account("amal"), "again")
        [first] = ask_disconnect(session)
        send(tenant)

        [second] = ask_disconnect(session)

        assert second.pk != first.pk

    def test_sessions_that_are_over_or_foreign_are_left_out(self, peer: NasPeer, other_tenant):
        over = make_session(make_nas(peer), make_account("amal"), "over")
        Session.objects.filter(pk=over.pk).update(stopped_at=over.last_seen_at, ended_by="stop")
        with tenant_context(other_tenant.pk):
            theirs = make_session(make_nas(peer, address="203.0.113.9"), make_account("amal"), "theirs")

        asked = request_disconnect(session_ids=[over.pk, theirs.pk, new_id()], cause=ActionCause.API)

        assert asked == []
        assert SessionAction.objects.count() == 0


class TestClaims:
    def test_what_another_worker_holds_is_skipped_until_its_lease_ends(self, peer: NasPeer, tenant):
        session = make_session(make_nas(peer), make_account("amal"), "leased")
        [action] = ask_disconnect(session)
        [claimed] = delivery._claim(None)

        assert send(tenant) == 0

        SessionAction.objects.update(next_at=timezone.now() - timedelta(minutes=1))
        assert send(tenant) == 1
        assert summary(action) == ("disconnect", "done", "ack", None)
        assert action.attempts == claimed.attempts + 1

    def test_who_lost_its_claim_stores_nothing(self, peer: NasPeer, tenant):
        session = make_session(make_nas(peer), make_account("amal"), "late")
        [action] = ask_disconnect(session)
        [late] = delivery._claim(None)
        SessionAction.objects.update(next_at=timezone.now() - timedelta(minutes=1))
        send(tenant)

        gone = Verdict(Result.GONE, Outcome.NAK, 503)
        store([Ended(late, ActionKind.DISCONNECT, gone)])

        assert summary(action) == ("disconnect", "done", "ack", None)
        session.refresh_from_db()
        assert session.stopped_at is None
        assert Event.objects.count() == 1

    def test_a_coa_that_became_a_disconnect_on_its_way_is_sent_as_one(self, peer: NasPeer, tenant):
        session = make_session(make_nas(peer), make_account("amal", make_policy()), "meanwhile")
        [action] = ask_coa(session)
        [claimed] = delivery._claim(None)
        ask_disconnect(session)

        done = Verdict(Result.DONE, Outcome.ACK)
        store([Ended(claimed, ActionKind.COA, done)])

        assert summary(action) == ("disconnect", "queued", "", None)
        assert send(tenant) == 1
        assert summary(action) == ("disconnect", "done", "ack", None)


class TestWhoIsOnline:
    def test_by_session_account_and_service(self, peer: NasPeer):
        line = SubscriptionFactory.create()
        account = make_account("amal", subscription=line)
        nas = make_nas(peer)
        first, second = (make_session(nas, account, f"on-{number}") for number in range(2))
        make_session(nas, make_account("noor"), "on-other")

        assert list(live_sessions(session_id=first.pk)) == [first]
        assert set(live_sessions(account_id=account.pk)) == {first, second}
        assert set(live_sessions(service_id=line.pk)) == {first, second}

    @pytest.mark.parametrize(
        ("name", "refusal"),
        [
            ("session_id", SessionNotKnown),
            ("account_id", AccountNotKnown),
            ("service_id", ServiceNotKnown),
        ],
    )
    def test_the_unknown_is_named(self, name: str, refusal: type[Exception]):
        with pytest.raises(refusal):
            live_sessions(**{name: new_id()})

    def test_nobody_is_online(self):
        account = make_account("amal", subscription=SubscriptionFactory.create())

        with pytest.raises(NoLiveSession):
            live_sessions(account_id=account.pk)
        with pytest.raises(NoLiveSession):
            live_sessions(service_id=account.subscription_id)


def test_the_number_of_queries_does_not_grow_with_the_sessions(peer: NasPeer, tenant, query_count):
    nas, policy = make_nas(peer), make_policy()

    def make_and_send(prefix: str, count: int) -> int:
        ask_coa(
            *(make_session(nas, make_account(f"{prefix}{n}", policy), f"{prefix}{n}") for n in range(count))
        )
        return int(query_count(send, tenant))

    one, six = make_and_send("one", 1), make_and_send("six", 6)

    assert one == six


def test_a_broker_that_is_away_keeps_nobody_from_asking(
    peer: NasPeer, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks
):
    def refuse(*_: object, **__: object) -> None:
        raise OperationalError

    session = make_session(make_nas(peer), make_account("amal"), "broker")
    monkeypatch.setattr(celery, "send_task", refuse)

    with django_capture_on_commit_callbacks(execute=True):
        [action] = ask_disconnect(session)

    assert summary(action)[1] == "queued"
