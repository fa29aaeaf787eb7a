"""Send the actions that are due and store what came of them.

The row is the truth. A worker claims rows with a lease, commits, sends with no transaction open, and stores each
outcome under its claim. If it dies in between, the lease ends and another sends again: a NAS that had done it answers
503 to a second Disconnect, which is success, and sets the same rate twice for a CoA.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import starmap
from typing import Any
from uuid import UUID

from django.db import connection, connections

from aaa import rendering
from aaa.models import (
    ActionCause,
    ActionKind,
    ActionOutcome,
    ActionState,
    EndedBy,
    Nas,
    PolicyReply,
    RadiusSettings,
    SessionAction,
)
from aaa.radius import requests
from aaa.radius.channel import PACE
from aaa.radius.requests import Kind, Request
from aaa.radius.sending import Answer, send
from aaa.radius.verdicts import Outcome, Result, Verdict
from ispcore.events.services import publish_each
from ispcore.jobs.services import Run
from ispcore.tenants.context import current_tenant_id, tenant_context
from ispcore.tenants.fields import new_id

BATCH = 1000
# Longer than the longest a batch can take: ten waves of a hundred at a NAS that answers one in a hundred.
LEASE = timedelta(seconds=180)
# Seconds after each attempt until the next; then the action has failed.
PAUSES = (5, 15, 60, 300)
# How long a job waits for actions that another worker has on the way.
STEER_SECONDS = 30
LOOK_AGAIN_SECONDS = 0.1

_OUTCOMES = {
    Outcome.ACK: ActionOutcome.ACK,
    Outcome.NAK: ActionOutcome.NAK,
    Outcome.TIMEOUT: ActionOutcome.TIMEOUT,
    Outcome.BAD_REPLY: ActionOutcome.TIMEOUT,
    Outcome.SILENT: ActionOutcome.TIMEOUT,
    Outcome.UNSENDABLE: ActionOutcome.UNSENDABLE,
}
_NOTHING_TO_CHANGE = "The account has no policy, so there is nothing that a CoA could tell the NAS."
_OVER = Verdict(Result.GONE, Outcome.NAK, None, "The session was over before anything was sent.")
_NO_NAS = Verdict(Result.ALERT, Outcome.UNSENDABLE, None, "The NAS has no address to send to.")


@dataclass(frozen=True, slots=True)
class Claimed:
    """An action as this worker holds it, with what the session and its account were at that moment."""

    action_id: UUID
    token: UUID
    kind: ActionKind
    cause: ActionCause
    attempts: int
    nas_id: UUID
    session_id: UUID | None
    acct_session_id: str
    username: str
    framed_ip: str
    station: str
    nas_port_id: str
    context: str
    wanted: str
    policy_id: UUID | None
    throttle_policy_id: UUID | None


@dataclass(frozen=True, slots=True)
class _Ended:
    """A claimed action and how sending it went; `kind` is what was really sent."""

    claimed: Claimed
    kind: ActionKind
    verdict: Verdict


def find_due() -> list[UUID]:
    """Return the tenants that have actions due, read through the platform role."""
    with connections["platform"].cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT tenant_id FROM aaa_sessionaction WHERE finished_at IS NULL AND next_at <= now()"
        )
        return [row[0] for row in cursor.fetchall()]


def send_due(*, tenant_id: UUID, action_ids: Sequence[UUID] | None = None) -> int:
    """Send the tenant's actions that are due, or some of them, until none is left; return how many were tried.

    Opens its own short transactions, none of them while a packet is on its way. Safe to run in parallel: what another
    worker holds is skipped.
    """
    tried = 0
    while True:
        with tenant_context(tenant_id):
            claimed = _claim(action_ids)
            requests_, ended = _prepare(claimed)
            _store(ended)
        if not claimed:
            return tried
        tried += len(claimed)
        for answers in send(requests_, pace=PACE):
            with tenant_context(tenant_id):
                _store([_ended(answer) for answer in answers])


_CLAIM = """
WITH due AS (
    SELECT id FROM aaa_sessionaction
    WHERE tenant_id = %(tenant)s AND finished_at IS NULL AND next_at <= now()
        AND (%(ids)s::uuid[] IS NULL OR id = ANY(%(ids)s::uuid[]))
    ORDER BY next_at LIMIT %(batch)s FOR UPDATE SKIP LOCKED
), taken AS (
    UPDATE aaa_sessionaction t SET state = 'sent', claim_token = %(token)s, next_at = now() + %(lease)s,
        attempts = t.attempts + 1, sent_at = now(), updated_at = now()
    FROM due WHERE t.tenant_id = %(tenant)s AND t.id = due.id
    RETURNING t.id, t.kind, t.cause, t.attempts, t.nas_id, t.session_id, t.account_id
)
SELECT taken.id, %(token)s::uuid, taken.kind, taken.cause, taken.attempts, taken.nas_id, s.id,
    COALESCE(s.acct_session_id, ''), COALESCE(s.username, ''), COALESCE(host(s.framed_ip), ''),
    COALESCE(s.station, ''), COALESCE(s.nas_port_id, ''), COALESCE(s.context, ''), COALESCE(a.wanted, ''),
    a.policy_id, a.throttle_policy_id
FROM taken
LEFT JOIN aaa_session s ON s.tenant_id = %(tenant)s AND s.id = taken.session_id AND s.stopped_at IS NULL
LEFT JOIN aaa_account a ON a.tenant_id = %(tenant)s AND a.id = taken.account_id
"""


def _claim(action_ids: Sequence[UUID] | None) -> list[Claimed]:
    with connection.cursor() as cursor:
        values: dict[str, Any] = {
            "tenant": current_tenant_id(),
            "ids": list(action_ids) if action_ids is not None else None,
            "batch": BATCH,
            "token": new_id(),
            "lease": LEASE,
        }
        cursor.execute(_CLAIM, values)
        return list(starmap(Claimed, cursor.fetchall()))


def _prepare(claimed: Sequence[Claimed]) -> tuple[list[Request], list[_Ended]]:
    """Return the packets to send, and the actions that end without one."""
    nases = _nases({action.nas_id for action in claimed})
    slots = _Slots(claimed, nases)
    to_send: list[Request] = []
    ended: list[_Ended] = []
    for action in claimed:
        nas = nases.get(action.nas_id)
        if action.session_id is None:
            ended.append(_Ended(action, action.kind, _OVER))
        elif nas is None:
            ended.append(_Ended(action, action.kind, _NO_NAS))
        else:
            attributes = slots.attributes(action, nas.nas_type)
            if attributes is None:
                verdict = Verdict(Result.ALERT, Outcome.UNSENDABLE, None, _NOTHING_TO_CHANGE)
                ended.append(_Ended(action, action.kind, verdict))
            else:
                to_send.append(_request(action, nas, attributes))
    return to_send, ended


def _request(action: Claimed, nas: requests.Nas, attributes: tuple[rendering.Pair, ...]) -> Request:
    """Return the packet of an action; a CoA with nothing to say to this type of NAS is a Disconnect."""
    session = requests.Session(
        acct_session_id=action.acct_session_id,
        username=action.username,
        framed_ip=action.framed_ip,
        station=action.station,
        nas_port_id=action.nas_port_id,
    )
    kind = Kind.COA if action.kind == ActionKind.COA and attributes else Kind.DISCONNECT
    return Request(key=action, kind=kind, nas=nas, session=session, attributes=attributes)


def _ended(answer: Answer) -> _Ended:
    request, verdict = answer
    assert isinstance(request.key, Claimed)
    return _Ended(request.key, ActionKind(request.kind), verdict)


class _Slots:
    """The rendered policies of a batch."""

    def __init__(self, claimed: Sequence[Claimed], nases: dict[UUID, requests.Nas]) -> None:
        coas = [action for action in claimed if action.kind == ActionKind.COA]
        self._garden = _garden_policy() if coas else None
        policies = {policy for action in coas if (policy := self._policy(action)) is not None}
        rows = (
            PolicyReply.objects.filter(
                policy__in=policies, nas_type__in={nas.nas_type for nas in nases.values()}
            ).values_list("policy_id", "nas_type", "r1", "r2", "r3", "r4", "r5", "r6")
            if policies
            else ()
        )
        self._slots = {(policy, nas_type): tuple(values) for policy, nas_type, *values in rows}

    def attributes(self, action: Claimed, nas_type: str) -> tuple[rendering.Pair, ...] | None:
        """Return what a CoA says; None where staff asked for one and the account has no policy at all."""
        if action.kind == ActionKind.DISCONNECT:
            return ()
        policy = self._policy(action)
        if _context(action) == "refused":
            return ()
        if policy is None and action.cause in (ActionCause.STAFF, ActionCause.API):
            return None
        slots = self._slots.get((policy, nas_type), rendering.NOTHING)
        return tuple(rendering.coa_pairs(nas_type, slots))

    def _policy(self, action: Claimed) -> UUID | None:
        context = _context(action)
        if context == "throttled":
            return action.throttle_policy_id
        return self._garden if context in ("blocked", "expired") else action.policy_id


def _context(action: Claimed) -> str:
    return action.wanted.partition(":")[0] or action.context


def _garden_policy() -> UUID | None:
    return RadiusSettings.objects.values_list("garden_policy_id", flat=True).first()


def _nases(ids: set[UUID]) -> dict[UUID, requests.Nas]:
    """Return where to send for each NAS; one that stands for another provider's is that provider's router."""
    rows = {nas.pk: nas for nas in Nas.objects.filter(pk__in=ids)}
    mirrors = {nas.mirror_of: pk for pk, nas in rows.items() if nas.mirror_of is not None}
    for original in _of_other_providers(mirrors):
        rows[mirrors[original.pk]] = original
    return {pk: _target(nas) for pk, nas in rows.items() if nas.coa_address or nas.address}


def _of_other_providers(ids: Iterable[UUID]) -> list[Nas]:
    wanted = list(ids)
    if not wanted:
        return []
    owners = Nas._base_manager.using("platform").filter(pk__in=wanted).values_list("tenant_id", flat=True)
    found: list[Nas] = []
    for owner in set(owners):
        # A secret opens for its own tenant only.
        with tenant_context(owner):
            found += Nas.objects.filter(pk__in=wanted)
    return found


def _target(nas: Nas) -> requests.Nas:
    return requests.Nas(
        address=_host(nas.coa_address or nas.address),
        port=nas.coa_port,
        secret=nas.secret.reveal().encode(),
        nas_type=nas.nas_type,
        nas_ip=_host(nas.nas_ip_reported) if nas.nas_ip_reported else "",
        nas_identifier=nas.nas_identifier,
    )


def _host(address: Any) -> str:
    return str(address).partition("/")[0]


def _store(ended: Sequence[_Ended]) -> None:
    """Store how actions went, in a handful of statements; one that is no longer this worker's is left alone."""
    if not ended:
        return
    rows = [_row(one) for one in ended]
    given = {name: [row[name] for row in rows] for name in rows[0]} | {"tenant": current_tenant_id()}
    with connection.cursor() as cursor:
        cursor.execute(_ASK_AGAIN, given)
        cursor.execute(_STORE, given)
        stored = {action for (action,) in cursor.fetchall()}
        mine = [row for row in rows if row["id"] in stored]
        told = [row for row in mine if row["applied"]]
        if told:
            cursor.execute(_APPLIED, _columns(told, "session", "applied"))
        gone = [row for row in mine if row["ended_by"]]
        if gone:
            cursor.execute(_CLOSE, _columns(gone, "session", "ended_by"))
    finished = [row for row in mine if row["state"] in (ActionState.DONE, ActionState.FAILED)]
    publish_each("aaa.action_finished", [{"action_id": str(row["id"])} for row in finished])


def _columns(rows: Sequence[dict[str, Any]], *names: str) -> dict[str, Any]:
    return {name: [row[name] for row in rows] for name in names} | {"tenant": current_tenant_id()}


def _row(ended: _Ended) -> dict[str, Any]:
    """Return what an action and its session become."""
    action, verdict = ended.claimed, ended.verdict
    row: dict[str, Any] = {
        "id": action.action_id,
        "token": action.token,
        "asked": action.kind,
        "kind": ended.kind,
        "state": ActionState.DONE,
        "outcome": _OUTCOMES[verdict.outcome],
        "error_cause": verdict.error_cause,
        "message": verdict.detail,
        "pause": 0,
        "session": action.session_id,
        "applied": "",
        "ended_by": "",
    }
    if ended.kind != action.kind and verdict.result is Result.DONE:
        row["outcome"] = ActionOutcome.FALLBACK
    match verdict.result:
        case Result.DONE if ended.kind == ActionKind.COA:
            row["applied"] = action.wanted
        case Result.GONE:
            row["outcome"] = ActionOutcome.GONE
            if action.session_id is not None:
                row["ended_by"] = EndedBy.DISCONNECT if ended.kind == ActionKind.DISCONNECT else EndedBy.STALE
        case Result.FALLBACK:
            row |= {
                "kind": ActionKind.DISCONNECT,
                "state": ActionState.QUEUED,
                "outcome": ActionOutcome.FALLBACK,
            }
        case Result.RETRY if action.attempts <= len(PAUSES):
            row |= {"state": ActionState.QUEUED, "pause": PAUSES[action.attempts - 1]}
        case Result.RETRY | Result.ALERT:
            row["state"] = ActionState.FAILED
    return row


_GIVEN = """
unnest(%(id)s::uuid[], %(token)s::uuid[], %(asked)s::text[], %(kind)s::text[], %(state)s::text[],
    %(outcome)s::text[], %(error_cause)s::smallint[], %(message)s::text[], %(pause)s::int[], %(applied)s::text[])
    AS g(id, token, asked, kind, state, outcome, error_cause, message, pause, applied)
"""
# A CoA that became a Disconnect while it was on its way is sent as that now, whatever the CoA came to.
_ASK_AGAIN = f"""
UPDATE aaa_sessionaction t
SET state = 'queued', claim_token = NULL, attempts = 0, next_at = now(), updated_at = now()
FROM {_GIVEN}
WHERE t.tenant_id = %(tenant)s AND t.id = g.id AND t.claim_token = g.token AND t.kind <> g.asked
"""  # noqa: S608
_STORE = f"""
UPDATE aaa_sessionaction t SET
    kind = g.kind,
    state = g.state,
    outcome = CASE WHEN t.outcome = 'fallback' AND g.state = 'done' THEN 'fallback' ELSE g.outcome END,
    error_cause = COALESCE(g.error_cause, t.error_cause),
    message = COALESCE(NULLIF(g.message, ''), t.message),
    wanted = COALESCE(NULLIF(g.applied, ''), t.wanted),
    attempts = CASE WHEN g.outcome = 'fallback' AND g.state = 'queued' THEN 0 ELSE t.attempts END,
    next_at = now() + g.pause * interval '1 second',
    finished_at = CASE WHEN g.state IN ('done', 'failed') THEN now() END,
    claim_token = NULL,
    updated_at = now()
FROM {_GIVEN}
WHERE t.tenant_id = %(tenant)s AND t.id = g.id AND t.claim_token = g.token AND t.kind = g.asked
RETURNING t.id
"""  # noqa: S608
# Sessions are locked in the order of their ids, as sweeps lock them.
_APPLIED = """
WITH held AS (
    SELECT id FROM aaa_session WHERE tenant_id = %(tenant)s AND id = ANY(%(session)s::uuid[]) AND stopped_at IS NULL
    ORDER BY id FOR NO KEY UPDATE
)
UPDATE aaa_session s SET applied = g.applied, context = split_part(g.applied, ':', 1)
FROM held JOIN unnest(%(session)s::uuid[], %(applied)s::text[]) AS g(id, applied) USING (id)
WHERE s.tenant_id = %(tenant)s AND s.id = held.id
"""
# It ended at some time since its last report; like a stale one it is closed at that.
_CLOSE = """
WITH held AS (
    SELECT id FROM aaa_session WHERE tenant_id = %(tenant)s AND id = ANY(%(session)s::uuid[]) AND stopped_at IS NULL
    ORDER BY id FOR NO KEY UPDATE
)
UPDATE aaa_session s SET stopped_at = s.last_seen_at, ended_by = g.ended_by
FROM held JOIN unnest(%(session)s::uuid[], %(ended_by)s::text[]) AS g(id, ended_by) USING (id)
WHERE s.tenant_id = %(tenant)s AND s.id = held.id
"""


def steer(run: Run) -> dict[str, Any]:
    """Send a job's actions now and wait for their end, at most `STEER_SECONDS`; return how each stands then.

    Those that another worker holds are waited for; what is to be tried again later goes on without the job.
    """
    ids = [UUID(action) for action in run.params["action_ids"]]
    deadline = time.monotonic() + STEER_SECONDS
    while True:
        send_due(tenant_id=run.tenant_id, action_ids=ids)
        with run.tenant():
            rows = list(SessionAction.objects.filter(pk__in=ids).order_by("pk"))
        on_the_way = [row for row in rows if row.state == ActionState.SENT]
        ended = sum(row.finished_at is not None for row in rows)
        run.progress(ended, len(rows), "Waiting for the NAS" if on_the_way else "")
        if not on_the_way or time.monotonic() > deadline:
            return _result(rows)
        time.sleep(LOOK_AGAIN_SECONDS)


def _result(rows: Sequence[SessionAction]) -> dict[str, Any]:
    done = sum(row.state == ActionState.DONE for row in rows)
    failed = sum(row.state == ActionState.FAILED for row in rows)
    return {
        "done": done,
        "failed": failed,
        "pending": len(rows) - done - failed,
        "actions": [
            {
                "id": str(row.pk),
                "kind": row.kind,
                "session_id": str(row.session_id),
                "state": row.state,
                "outcome": row.outcome,
                "error_cause": row.error_cause,
                "message": row.message,
            }
            for row in rows
        ],
    }
