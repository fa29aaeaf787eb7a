"""What became of actions: stored under the claim that sent them, the session's row with them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from django.db import connection

from aaa.models import ActionCause, ActionKind, ActionOutcome, ActionState, EndedBy
from aaa.radius.verdicts import Outcome, Result, Verdict
from ispcore.events.services import publish_each
from ispcore.tenants.context import current_tenant_id

# Seconds after each attempt until the next; then the action has failed.
PAUSES = (5, 15, 60, 300)

_OUTCOMES = {
    Outcome.ACK: ActionOutcome.ACK,
    Outcome.NAK: ActionOutcome.NAK,
    Outcome.TIMEOUT: ActionOutcome.TIMEOUT,
    Outcome.BAD_REPLY: ActionOutcome.TIMEOUT,
    Outcome.SILENT: ActionOutcome.TIMEOUT,
    Outcome.UNSENDABLE: ActionOutcome.UNSENDABLE,
}


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
class Ended:
    """A claimed action and how sending it went; `kind` is what was really sent."""

    claimed: Claimed
    kind: ActionKind
    verdict: Verdict


def store(ended: Sequence[Ended]) -> None:
    """Store how actions went, in a handful of statements; one that is no longer this worker's is left alone."""
    if not ended:
        return
    rows = [_row(one) for one in ended]
    _run(_ASK_AGAIN, [row for row in rows if row["asked"] == ActionKind.COA])
    stored = _run(_STORE, rows)
    mine = [row for row in rows if row["id"] in stored]
    _run(_APPLIED, [row for row in mine if row["applied"]])
    _run(_CLOSE, [row for row in mine if row["ended_by"]])
    finished = [row for row in mine if row["state"] in (ActionState.DONE, ActionState.FAILED)]
    publish_each("aaa.action_finished", [{"action_id": str(row["id"])} for row in finished])


def _run(statement: str, rows: Sequence[dict[str, Any]]) -> set[UUID]:
    """Run a statement on rows, if there are any, and return the ids it touched.

    They go as one parameter: as arrays, a thousand cost more to write down than to store.
    """
    if not rows:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(statement, {"rows": orjson.dumps(rows).decode(), "tenant": current_tenant_id()})
        return {row[0] for row in cursor.fetchall()}


def _row(ended: Ended) -> dict[str, Any]:
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
jsonb_to_recordset(%(rows)s::jsonb) AS g(id uuid, token uuid, asked text, kind text, state text, outcome text,
    error_cause smallint, message text, pause int, session uuid, applied text, ended_by text)
"""
# A CoA that became a Disconnect while it was on its way is sent as that now, whatever the CoA came to.
_ASK_AGAIN = f"""
UPDATE aaa_sessionaction t
SET state = 'queued', claim_token = NULL, attempts = 0, next_at = now(), updated_at = now()
FROM {_GIVEN}
WHERE t.tenant_id = %(tenant)s AND t.id = g.id AND t.claim_token = g.token AND t.kind <> g.asked
RETURNING t.id
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
_HELD = f"""
WITH given AS MATERIALIZED (SELECT * FROM {_GIVEN}), held AS (
    SELECT id FROM aaa_session
    WHERE tenant_id = %(tenant)s AND id IN (SELECT session FROM given) AND stopped_at IS NULL
    ORDER BY id FOR NO KEY UPDATE
)
"""  # noqa: S608
# Sessions are locked in the order of their ids, as sweeps lock them.
_APPLIED = f"""
{_HELD}
UPDATE aaa_session s SET applied = g.applied, context = split_part(g.applied, ':', 1)
FROM held JOIN given g ON g.session = held.id
WHERE s.tenant_id = %(tenant)s AND s.id = held.id
RETURNING s.id
"""  # noqa: S608
# It ended at some time since its last report; like a stale one it is closed at that.
_CLOSE = f"""
{_HELD}
UPDATE aaa_session s SET stopped_at = s.last_seen_at, ended_by = g.ended_by
FROM held JOIN given g ON g.session = held.id
WHERE s.tenant_id = %(tenant)s AND s.id = held.id
RETURNING s.id
"""  # noqa: S608
