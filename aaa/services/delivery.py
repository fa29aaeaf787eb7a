"""Send the actions that are due and store what came of them.

The row is the truth. A worker claims rows with a lease, commits, sends with no transaction open, and stores each
outcome under its claim. If it dies in between, the lease ends and another sends again: a NAS that had done it answers
503 to a second Disconnect, which is success, and sets the same rate twice for a CoA.
"""

import time
from collections.abc import Iterable, Sequence
from datetime import timedelta
from itertools import starmap
from typing import Any
from uuid import UUID

from django.db import connection, connections
from django.db.models import Q
from django.db.models.functions import Now

from aaa import rendering
from aaa.models import (
    ActionCause,
    ActionKind,
    ActionState,
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
from aaa.services.outcomes import Claimed, Ended, store
from ispcore.jobs.services import Run
from ispcore.tenants.context import current_tenant_id, tenant_context
from ispcore.tenants.fields import new_id

BATCH = 1000
# Longer than the longest a batch can take: ten waves of a hundred at a NAS that answers one in a hundred.
LEASE = timedelta(seconds=180)
# How long a job waits for actions that another worker has on the way.
STEER_SECONDS = 30
LOOK_AGAIN_SECONDS = 0.1

_NOTHING_TO_CHANGE = "The account has no policy, so there is nothing that a CoA could tell the NAS."
_OVER = Verdict(Result.GONE, Outcome.NAK, None, "The session was over before anything was sent.")
_NO_NAS = Verdict(Result.ALERT, Outcome.UNSENDABLE, None, "The NAS has no address to send to.")


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
            store(ended)
        if not claimed:
            return tried
        tried += len(claimed)
        for answers in send(requests_, pace=PACE):
            with tenant_context(tenant_id):
                store([_ended(answer) for answer in answers])


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


def _prepare(claimed: Sequence[Claimed]) -> tuple[list[Request], list[Ended]]:
    """Return the packets to send, and the actions that end without one."""
    nases = _nases({action.nas_id for action in claimed})
    slots = _Slots(claimed, nases)
    to_send: list[Request] = []
    ended: list[Ended] = []
    for action in claimed:
        nas = nases.get(action.nas_id)
        if action.session_id is None:
            ended.append(Ended(action, action.kind, _OVER))
        elif nas is None:
            ended.append(Ended(action, action.kind, _NO_NAS))
        else:
            attributes = slots.attributes(action, nas.nas_type)
            if attributes is None:
                verdict = Verdict(Result.ALERT, Outcome.UNSENDABLE, None, _NOTHING_TO_CHANGE)
                ended.append(Ended(action, action.kind, verdict))
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


def _ended(answer: Answer) -> Ended:
    request, verdict = answer
    assert isinstance(request.key, Claimed)
    return Ended(request.key, ActionKind(request.kind), verdict)


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
            # Due and not ours: another worker is just claiming it.
            held = Q(state=ActionState.SENT) | Q(next_at__lte=Now())
            waiting = SessionAction.objects.filter(held, pk__in=ids, finished_at=None).exists()
        ended = sum(row.finished_at is not None for row in rows)
        run.progress(ended, len(rows), "Waiting for the NAS" if waiting else "")
        if not waiting or time.monotonic() > deadline:
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
