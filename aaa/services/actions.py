"""Ask NASes to change or end live sessions, for staff and for the API.

An action is a row, sent by `aaa.services.delivery`. One is open per session: asking again while one is open gives
that one, and a Disconnect takes the place of a CoA. What a session has to become by itself is asked by
`aaa.services.settling`.
"""

from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet
from kombu.exceptions import OperationalError

from aaa.models import Account, ActionCause, ActionKind, Session
from ispcore.celery import app
from ispcore.errors import DomainError, NotRegistered
from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job
from ispcore.tenants.context import current_tenant_id
from subscribers.models import Subscription

QUEUE = "radius"
MOST_SESSIONS = 1000  # An account's sessions at once are limited to as many.
# A wake-up that nobody took by then is thrown away: the beat finds what is due.
WAKE_SECONDS = 30


class SessionNotKnown(NotRegistered):
    message = "There is no such session, or it was over long ago."
    field = "session_id"


class AccountNotKnown(NotRegistered):
    message = "There is no such account."
    field = "account_id"


class ServiceNotKnown(NotRegistered):
    message = "There is no such service."
    field = "service_id"


class NoLiveSession(DomainError):
    code = "no_live_session"
    message = "Nobody is online with it."


def live_sessions(
    *, session_id: UUID | None = None, account_id: UUID | None = None, service_id: UUID | None = None
) -> QuerySet[Session]:
    """Return the live sessions of one session, account or service.

    Raises SessionNotKnown, AccountNotKnown or ServiceNotKnown when there is no such thing, NoLiveSession when there
    is and nobody is online.
    """
    sessions: QuerySet[Session] = Session.objects.filter(stopped_at=None)
    if session_id is not None:
        if not Session.objects.filter(pk=session_id).exists():
            raise SessionNotKnown
        sessions = sessions.filter(pk=session_id)
    elif account_id is not None:
        if not Account.objects.filter(pk=account_id).exists():
            raise AccountNotKnown
        sessions = sessions.filter(account=account_id)
    else:
        if not Subscription.objects.filter(pk=service_id).exists():
            raise ServiceNotKnown
        sessions = sessions.filter(account__in=Account.objects.filter(subscription=service_id).values("pk"))
    if not sessions.exists():
        raise NoLiveSession
    return sessions


def request_coa(
    *, session_ids: Sequence[UUID], cause: ActionCause, user_id: UUID | None = None
) -> list[UUID]:
    """Ask that live sessions get what their accounts want now; return the actions' ids.

    One statement. Sessions that are over, or whose NAS is not ours, are left out.
    """
    return _woken(_request(ActionKind.COA, session_ids, cause, user_id))


def request_disconnect(
    *, session_ids: Sequence[UUID], cause: ActionCause, user_id: UUID | None = None
) -> list[UUID]:
    """Ask that live sessions be ended; return the actions' ids. As `request_coa`; an open CoA becomes it."""
    return _woken(_request(ActionKind.DISCONNECT, session_ids, cause, user_id))


def request_job(
    *,
    kind: ActionKind,
    sessions: QuerySet[Session],
    cause: ActionCause,
    user_id: UUID | None,
) -> Job:
    """Ask for an action on each session now, and return the job that sends them and waits for the answers.

    Raises NoLiveSession.
    """
    ids = list(sessions.order_by("pk").values_list("pk", flat=True)[:MOST_SESSIONS])
    actions = _request(kind, ids, cause, user_id)
    if not actions:
        raise NoLiveSession
    return jobs.enqueue(
        kind="aaa.steer_sessions",
        params={"action_ids": [str(action) for action in actions]},
        label=f"{kind.label}: {len(actions)} {'session' if len(actions) == 1 else 'sessions'}",
        queue=QUEUE,
        user_id=user_id,
    )


_REQUEST = """
INSERT INTO aaa_sessionaction AS open (id, tenant_id, created_at, updated_at, kind, session_id, account_id, nas_id,
    cause, wanted, state, outcome, message, attempts, next_at, requested_by_id)
SELECT uuidv7(), s.tenant_id, now(), now(), %(kind)s, s.id, a.id, n.id, %(cause)s,
    CASE WHEN %(kind)s = 'coa' THEN COALESCE(a.wanted, '') ELSE '' END, 'queued', '', '', 0, now(), %(user)s
FROM aaa_session s
JOIN aaa_nas n ON n.tenant_id = s.tenant_id AND n.id = s.nas_id
LEFT JOIN aaa_account a ON a.tenant_id = s.tenant_id AND a.id = s.account_id
WHERE s.tenant_id = %(tenant)s AND s.id = ANY(%(sessions)s) AND s.stopped_at IS NULL
ORDER BY s.id
ON CONFLICT (tenant_id, session_id) WHERE finished_at IS NULL DO UPDATE SET
    kind = CASE WHEN EXCLUDED.kind = 'disconnect' THEN 'disconnect' ELSE open.kind END,
    cause = CASE WHEN open.kind = 'disconnect' THEN open.cause ELSE EXCLUDED.cause END,
    requested_by_id = COALESCE(EXCLUDED.requested_by_id, open.requested_by_id),
    next_at = CASE WHEN open.state = 'queued' THEN LEAST(open.next_at, EXCLUDED.next_at) ELSE open.next_at END,
    updated_at = now()
RETURNING id
"""


def _request(
    kind: ActionKind, session_ids: Sequence[UUID], cause: ActionCause, user_id: UUID | None
) -> list[UUID]:
    with connection.cursor() as cursor:
        cursor.execute(
            _REQUEST,
            {
                "kind": kind.value,
                "cause": cause.value,
                "user": user_id,
                "tenant": current_tenant_id(),
                "sessions": list(session_ids),
            },
        )
        return [row[0] for row in cursor.fetchall()]


def _woken(actions: list[UUID]) -> list[UUID]:
    if actions:
        wake()
    return actions


def wake() -> None:
    """Tell the queue at commit that actions are due; only a hint, since the beat looks by itself."""
    tenant_id = current_tenant_id()
    transaction.on_commit(lambda: send_wake(tenant_id), robust=True)


def send_wake(tenant_id: UUID) -> None:
    """Have a worker of the queue send what is due of one tenant."""
    with suppress(OperationalError):
        app.send_task(
            "aaa.tasks.send_actions",
            kwargs={"tenant_id": str(tenant_id)},
            queue=QUEUE,
            expires=WAKE_SECONDS,
        )
