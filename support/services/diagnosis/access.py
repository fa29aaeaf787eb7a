"""What RADIUS knows of a line: its account, the last log-in, the session and the address."""

from datetime import datetime
from typing import Any

from django.utils.timesince import timesince

from aaa.models import Account, AuthAttempt, Context, EndedBy, OverCap, Reason, Session
from aaa.selectors import Verdict, verdict_of
from support.services.diagnosis.reading import Ended, Found
from support.services.diagnosis.words import Action, ActionCode, Cause, Step, StepName, StepStatus

GARDEN = (Context.BLOCKED, Context.EXPIRED)
MEGABYTE, GIGABYTE = 10**6, 10**9


def radius_step(found: Found) -> Step:
    """Judge the account, and what the last log-in came to."""
    account = found.account
    if account is None:
        return _without_account(found)
    cause, action, said = _barred(found, account)
    if cause is None:
        cause, action, said = _refused(found, account)
    refusal = found.last_refusal
    facts = [f"{account.username}: {_standing(found, account, cause)}"]
    if refusal is not None:
        facts.append(f"last refused {found.moment(refusal.last_at)}, {_reason(refusal)}{_times(refusal)}")
    elif found.last_accept is not None:
        facts.append(f"last let in {found.moment(found.last_accept.last_at)}")
    else:
        facts.append("no log-in is on record")
    if account.calling_station_id:
        facts.append(f"locked to {account.calling_station_id}")
    last = refusal or found.last_accept
    return Step(
        step=StepName.RADIUS,
        status=StepStatus.PROBLEM if cause or account.blocked_reason else StepStatus.OK,
        fact=f"{'; '.join(facts)}.",
        source="RADIUS account and log of log-ins",
        observed_at=last.last_at if last else found.at,
        action=action or Action(ActionCode.OPEN_ACCOUNT, account.pk),
        cause=cause,
        said=said,
    )


def _without_account(found: Found) -> Step:
    nothing = found.onu is None and not found.addresses
    runs = found.line.status in ("active", "suspended")
    return Step(
        step=StepName.RADIUS,
        status=StepStatus.PROBLEM if nothing and runs else StepStatus.UNKNOWN,
        fact="No RADIUS account belongs to the service, so nothing is known of log-ins.",
        source="RADIUS accounts",
        observed_at=found.at,
        action=Action(ActionCode.MAKE_ACCOUNT, found.line.pk) if runs else None,
        cause=Cause.NEVER_PROVISIONED if nothing and runs else None,
    )


def _barred(found: Found, account: Account) -> tuple[Cause | None, Action | None, dict[str, Any]]:
    """Return what bars the account itself, in the order in which aaa/sql/authorize.sql looks at it."""
    change = Action(ActionCode.CHANGE_ACCOUNT, account.pk)
    if not account.enabled:
        return Cause.ACCOUNT_DISABLED, Action(ActionCode.ENABLE_ACCOUNT, account.pk), {}
    if account.expires_at is not None and account.expires_at <= found.at:
        return Cause.ACCOUNT_EXPIRED, change, {"when": f"on {found.moment(account.expires_at)}"}
    if _is_used_up(found, account):
        top_up = Action(ActionCode.ADD_TOP_UP, account.pk)
        if account.over_cap == OverCap.THROTTLE:
            return Cause.THROTTLED, top_up, {}
        return Cause.QUOTA_USED, top_up, {"used": _used(found), "allowance": _allowance(found)}
    if account.blocked_reason and found.line.status == "active" and not found.holds:
        return Cause.NOT_SETTLED, Action(ActionCode.OPEN_ACCOUNT, account.pk), {}
    return None, None, {}


def _refused(found: Found, account: Account) -> tuple[Cause | None, Action | None, dict[str, Any]]:
    """Return what the last log-in was refused for, where nothing was let in after it."""
    refusal = found.last_refusal
    if refusal is None or account.blocked_reason:
        return None, None, {}
    if refusal.reason == Reason.SESSIONS:
        allowed = _allowed_sessions(account)
        said = {"sessions": "one session is" if allowed == 1 else f"{allowed} sessions are"}
        session = found.session
        if session is not None:
            if refusal.last_at < session.started_at or refusal.station == session.station:
                return None, None, {}
            return Cause.SESSION_LIMIT, Action(ActionCode.DISCONNECT_SESSION, session.pk), said
        return Cause.SESSION_LIMIT, Action(ActionCode.CHANGE_ACCOUNT, account.pk), said
    if found.is_online:
        return None, None, {}
    if refusal.reason == Reason.PASSWORD:
        return Cause.WRONG_PASSWORD, Action(ActionCode.CHANGE_ACCOUNT, account.pk), {}
    if refusal.reason == Reason.MAC and account.calling_station_id:
        said = {"device": account.calling_station_id, "other": refusal.station or "an unnamed device"}
        return Cause.MAC_LOCKED, Action(ActionCode.FORGET_DEVICE, account.pk), said
    return Cause.REFUSED_BEFORE, Action(ActionCode.OPEN_ACCOUNT, account.pk), {"reason": _reason(refusal)}


def _standing(found: Found, account: Account, cause: Cause | None) -> str:
    """Say whether the account as such may log in."""
    if cause == Cause.ACCOUNT_DISABLED:
        return "switched off"
    if cause == Cause.ACCOUNT_EXPIRED and account.expires_at:
        return f"expired {found.moment(account.expires_at)}"
    if cause in (Cause.QUOTA_USED, Cause.THROTTLED):
        return f"{_used(found)} of {_allowance(found)} used"
    if account.blocked_reason:
        return "barred with the service"
    words = "may log in"
    if account.expires_at:
        words += f", expires {found.moment(account.expires_at)}"
    if found.state is not None and found.state.allowance_bytes is not None:
        words += f", {_used(found)} of {_allowance(found)} used"
    return words


def _is_used_up(found: Found, account: Account) -> bool:
    state = found.state
    return (
        state is not None
        and state.allowance_bytes is not None
        and not account.uncapped_data
        and state.used_bytes >= state.allowance_bytes
        and (state.period_ends_at is None or state.period_ends_at > found.at)
    )


def _used(found: Found) -> str:
    return _data(found.state.used_bytes if found.state else 0)


def _allowance(found: Found) -> str:
    return _data((found.state.allowance_bytes or 0) if found.state else 0)


def _data(count: int) -> str:
    return f"{count / GIGABYTE:.1f} GB" if count >= GIGABYTE else f"{count / MEGABYTE:.0f} MB"


def _allowed_sessions(account: Account) -> int:
    own = account.max_sessions
    return int(account.service_profile.max_sessions if own is None else own)


def _reason(attempt: AuthAttempt) -> str:
    known = attempt.reason in Reason.values
    return str(Reason(attempt.reason).label).lower() if known else "reason not recorded"


def _times(attempt: AuthAttempt) -> str:
    return f" ({attempt.times} times)" if attempt.times > 1 else ""


def session_step(found: Found) -> Step:
    """Judge the live session, or why there is none."""
    if found.account is None:
        return _session(found, StepStatus.UNKNOWN, "No account, so no session is known.", None)
    if found.session is not None:
        return _live(found, found.session)
    if not found.attempts and found.ended is None:
        fact = "Never online: no log-in and no session is on record."
        return _session(found, StepStatus.PROBLEM, fact, Cause.NEVER_LOGGED_IN)
    fact = "Nobody is online"
    if found.ended is not None:
        fact += f"; the last session ended {found.moment(found.ended.stopped_at)}, {_why(found.ended)}"
    nas = found.nas
    fact += f". Last heard of through {nas.name if nas else 'a NAS that is gone'}."
    cause, said, seen_at = _offline(found)
    action = Action(ActionCode.OPEN_NAS, nas.pk) if nas else None
    return _session(found, StepStatus.PROBLEM, fact, cause, action=action, said=said, seen_at=seen_at)


def _offline(found: Found) -> tuple[Cause | None, dict[str, Any], datetime | None]:
    """Return why nobody is online, and when that was last heard of; no cause where a refusal explains it."""
    nas, ended, accept = found.nas, found.ended, found.last_accept
    if nas is None or not nas.is_active:
        return Cause.NAS_UNKNOWN, {}, None
    health = verdict_of(nas, found.at)
    if health == Verdict.SILENT:
        heard = max(each for each in (nas.last_auth_at, nas.last_acct_at) if each)
        return Cause.NAS_SILENT, {"nas": nas.name, "since": found.since(heard)}, heard
    if found.last_refusal is not None:
        return None, {}, found.last_refusal.last_at
    if accept is not None and (ended is None or accept.last_at > ended.stopped_at):
        if health == Verdict.NO_ACCOUNTING:
            return Cause.NO_ACCOUNTING, {"nas": nas.name}, nas.last_acct_at
        return Cause.NO_SESSION, {"when": f"on {found.moment(accept.last_at)}"}, accept.last_at
    if ended is None:
        return None, {}, None
    return (
        Cause.NOT_LOGGED_IN,
        {"since": found.since(ended.stopped_at), "why": _why(ended)},
        ended.stopped_at,
    )


def _live(found: Found, session: Session) -> Step:
    nas = session.nas.name if session.nas else "a NAS that is gone"
    fact = (
        f"Online since {found.moment(session.started_at)} on {nas}"
        f"{f', port {session.nas_port_id}' if session.nas_port_id else ''}"
        f"{f', device {session.station}' if session.station else ''}"
        f", last report {_ago(session.last_seen_at, found.at)} ago"
    )
    end = Action(ActionCode.DISCONNECT_SESSION, session.pk)
    if found.session_is_stale:
        said = {"nas": nas, "since": found.since(session.last_seen_at)}
        cause: Cause | None = Cause.SESSION_STALE
        return _session(
            found, StepStatus.PROBLEM, f"{fact}.", cause, action=end, said=said, seen_at=session.last_seen_at
        )
    if session.context in GARDEN:
        may_run = found.line.status == "active" and not found.holds and not _expired(found)
        cause = Cause.GARDEN_REMAINS if may_run else None
        label = str(Context(session.context).label)
        fact += f", in the {label[:1].lower()}{label[1:]}"
        return _session(
            found, StepStatus.PROBLEM, f"{fact}.", cause, action=end, seen_at=session.last_seen_at
        )
    if session.context == Context.THROTTLED:
        fact += ", slowed down"
    return _session(found, StepStatus.OK, f"{fact}.", None, action=end, seen_at=session.last_seen_at)


def _expired(found: Found) -> bool:
    account = found.account
    return account is not None and account.expires_at is not None and account.expires_at <= found.at


def _session(
    found: Found,
    status: StepStatus,
    fact: str,
    cause: Cause | None,
    *,
    action: Action | None = None,
    said: dict[str, Any] | None = None,
    seen_at: datetime | None = None,
) -> Step:
    return Step(
        step=StepName.SESSION,
        status=status,
        fact=fact,
        source=f"Accounting of {found.nas.name}" if found.nas else "Accounting",
        observed_at=seen_at or found.at,
        action=action,
        cause=cause,
        said=said or {},
    )


def _why(ended: Ended) -> str:
    """Say what ended a session."""
    if ended.ended_by not in EndedBy.values:
        return "for an unknown reason"
    words = str(EndedBy(ended.ended_by).label)
    words = words if words.startswith("The NAS") else words[:1].lower() + words[1:]
    words = words.replace("The NAS", "the NAS")
    cause = ended.terminate_cause.replace("-", " ").lower()  # RFC 2866 section 5.10.
    return f"{words}: {cause}" if cause else words


def _ago(then: datetime, at: datetime) -> str:
    return str(timesince(then, at, depth=1)) if (at - then).total_seconds() >= 60 else "under a minute"


def address_step(found: Found) -> Step:
    """Compare what the line should have with what its session uses."""
    account, session, pool = found.account, found.session, found.pool
    used = session.framed_ip if session else None
    expected = (account.static_ip4 or account.assigned_ip4) if account else None
    held = ", ".join(_held(each) for each in found.addresses)
    if session and used and expected and used != expected:
        return _address(
            found, StepStatus.PROBLEM, f"The session uses {used}, the line should have {expected}.",
            Cause.ADDRESS_MISMATCH, Action(ActionCode.DISCONNECT_SESSION, session.pk),
            said={"used": used, "expected": expected}, seen_at=session.last_seen_at,
        )  # fmt: skip
    lacks = (
        pool is not None and found.line.status == "active" and not any(each.fits for each in found.addresses)
    )
    if pool is not None and lacks and not (account and account.static_ip4):
        counts = found.pool_counts
        full = counts is not None and counts.total > 0 and counts.free == 0
        resting = f", {counts.quarantined} of them resting" if counts and counts.quarantined else ""
        fact = f"None is assigned; the plan's pool {pool.name} "
        fact += f"has none of {counts.total} free{resting}." if full and counts else "has free ones."
        return _address(
            found, StepStatus.PROBLEM, fact, Cause.POOL_FULL if full else Cause.ADDRESS_MISSING,
            Action(ActionCode.OPEN_POOL if full else ActionCode.ALLOCATE_ADDRESS, pool.pk), said={"pool": pool.name},
        )  # fmt: skip
    if session is not None:
        given = used or session.framed_ipv6_prefix or session.delegated_prefix
        if given is None:
            return _address(found, StepStatus.UNKNOWN, "The NAS tells no address of the session.", None)
        what = "as assigned" if used and used == expected else "from the NAS"
        return _address(found, StepStatus.OK, f"Uses {given}, {what}.", None, seen_at=session.last_seen_at)
    if held or expected:
        return _address(found, StepStatus.OK, f"Assigned: {held or expected}; not in use now.", None)
    return _address(found, StepStatus.UNKNOWN, "None is assigned: the NAS gives one with the session.", None)


def _held(address: Any) -> str:
    return f"{address.address} of {address.pool.name}" if address.pool else str(address.address)


def _address(
    found: Found,
    status: StepStatus,
    fact: str,
    cause: Cause | None,
    action: Action | None = None,
    *,
    said: dict[str, Any] | None = None,
    seen_at: datetime | None = None,
) -> Step:
    return Step(
        step=StepName.ADDRESS,
        status=status,
        fact=fact,
        source="Address book and session" if seen_at else "Address book",
        observed_at=seen_at or found.at,
        action=action,
        cause=cause,
        said=said or {},
    )
