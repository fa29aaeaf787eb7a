"""What RADIUS knows of a line: its account, the last log-in, the session and the address."""

from datetime import datetime, timedelta
from typing import Any

from django.utils.timesince import timesince

from aaa.models import Account, AuthAttempt, Context, EndedBy, Nas, OverCap, Reason, Session
from aaa.selectors import SILENT_AFTER, Verdict, verdict_of
from support.services.diagnosis.reading import Ended, Found
from support.services.diagnosis.words import Action, ActionCode, Cause, Step, StepName, StepStatus

GARDEN = (Context.BLOCKED, Context.EXPIRED)
MEGABYTE, GIGABYTE = 10**6, 10**9
# A device that wants in tries again within minutes: while the line is online, an older refusal is nobody's any more.
TRIES_AGAIN = timedelta(hours=1)
# From an accepted log-in to the first report of its session.
BEGINS_WITHIN = timedelta(minutes=1)


def radius_step(found: Found) -> Step:
    """Judge the account, and what the last log-in came to."""
    account = found.account
    if account is None:
        return _without_account(found)
    cause, action, said = _barred(found, account)
    if cause in (None, Cause.THROTTLED):
        refused = _refused(found, account)
        if refused[0] is not None:
            cause, action, said = refused
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
            is_over = refusal.last_at < max(session.started_at, found.at - TRIES_AGAIN)
            if is_over or refusal.station == session.station:
                return None, None, {}
            said["device"] = session.station or "an unnamed device"
            said["other"] = refusal.station or "another unnamed one"
            return Cause.SESSION_LIMIT, Action(ActionCode.DISCONNECT_SESSION, session.pk), said
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
    if cause is None and found.last_refusal is None and found.unbegun is not None:
        fact = "Let in a moment ago; the session has not been reported yet."
        return _session(found, StepStatus.UNKNOWN, fact, None, action=action, seen_at=seen_at)
    return _session(found, StepStatus.PROBLEM, fact, cause, action=action, said=said, seen_at=seen_at)


def _offline(found: Found) -> tuple[Cause | None, dict[str, Any], datetime | None]:
    """Return why nobody is online, and when that was last heard of; no cause where a refusal explains it."""
    nas, ended, accept = found.nas, found.ended, found.unbegun
    if nas is None or not nas.is_active:
        return Cause.NAS_UNKNOWN, {}, None
    silent_since = _silent_since(nas, found.at)
    if silent_since is not None:
        return Cause.NAS_SILENT, {"nas": nas.name, "since": found.since(silent_since)}, silent_since
    if found.last_refusal is not None:
        return None, {}, found.last_refusal.last_at
    if accept is not None:
        if found.at - accept.last_at < BEGINS_WITHIN:
            return None, {}, accept.last_at
        if verdict_of(nas, found.at) == Verdict.NO_ACCOUNTING:
            return Cause.NO_ACCOUNTING, {"nas": nas.name}, nas.last_acct_at
        return Cause.NO_SESSION, {"when": f"on {found.moment(accept.last_at)}"}, accept.last_at
    if ended is None:
        return None, {}, None
    return (
        Cause.NOT_LOGGED_IN,
        {"since": found.since(ended.stopped_at), "why": _why(ended)},
        ended.stopped_at,
    )


def _silent_since(nas: Nas, at: datetime) -> datetime | None:
    """Return when a NAS was last heard of that sends nothing any more."""
    heard = max(filter(None, (nas.last_auth_at, nas.last_acct_at)), default=None)
    return heard if heard is not None and heard < at - SILENT_AFTER else None


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
        if session.nas is None or not session.nas.is_active:
            cause = Cause.NAS_UNKNOWN
            end = Action(ActionCode.OPEN_NAS, session.nas.pk) if session.nas else end
        elif silent_since := _silent_since(session.nas, found.at):
            cause, end = Cause.NAS_SILENT, Action(ActionCode.OPEN_NAS, session.nas.pk)
            said["since"] = found.since(silent_since)
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
    in_garden = session is not None and session.context in GARDEN
    expected = (account.static_ip4 or account.assigned_ip4) if account else None
    held = ", ".join(_held(each) for each in found.addresses)
    other = None if in_garden else _other_than_expected(account, session)
    if session is not None and other is not None:
        used, wanted = other
        return _address(
            found, StepStatus.PROBLEM, f"The session uses {used}, the line should have {wanted}.",
            Cause.ADDRESS_MISMATCH, Action(ActionCode.DISCONNECT_SESSION, session.pk),
            said={"used": used, "expected": wanted}, seen_at=session.last_seen_at,
        )  # fmt: skip
    lacks = (
        pool is not None and found.line.status == "active" and not any(each.fits for each in found.addresses)
    )
    if pool is not None and lacks and not (account and _is_static(account, pool.family)):
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
        given = session.framed_ip or session.framed_ipv6_prefix or session.delegated_prefix
        if given is None:
            return _address(found, StepStatus.UNKNOWN, "The NAS tells no address of the session.", None)
        what = "from the NAS"
        if in_garden:
            what = "in the walled garden"
        elif account is not None and given in _expected(account):
            what = "as assigned"
        return _address(found, StepStatus.OK, f"Uses {given}, {what}.", None, seen_at=session.last_seen_at)
    if held or expected:
        return _address(found, StepStatus.OK, f"Assigned: {held or expected}; not in use now.", None)
    return _address(found, StepStatus.UNKNOWN, "None is assigned: the NAS gives one with the session.", None)


def _expected(account: Account) -> tuple[str | None, str | None, str | None]:
    """Return the IPv4 address, the prefix of the link and the delegated one that a log-in is given."""
    return (
        account.static_ip4 or account.assigned_ip4,
        account.framed_ipv6_prefix or account.assigned_ipv6_prefix,
        account.delegated_prefix or account.assigned_delegated_prefix,
    )


def _other_than_expected(account: Account | None, session: Session | None) -> tuple[str, str] | None:
    """Return what the session uses and what it should, where both are known and differ."""
    if account is None or session is None:
        return None
    uses = (session.framed_ip, session.framed_ipv6_prefix, session.delegated_prefix)
    pairs = zip(uses, _expected(account), strict=True)
    return next(((used, wanted) for used, wanted in pairs if used and wanted and used != wanted), None)


def _is_static(account: Account, family: int) -> bool:
    """Tell whether the account has an address of its own, so that none of the plan's pool is missed."""
    return bool(account.static_ip4 if family == 4 else account.framed_ipv6_prefix or account.delegated_prefix)


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
