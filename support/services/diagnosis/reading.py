"""Everything a diagnosis looks at, read at one moment in a fixed number of queries. Nothing is asked of a device."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import BooleanField, Count, ExpressionWrapper, Q
from django.utils import formats

from aaa.models import Account, AccountState, AuthAttempt, Nas, PastSession, Session
from billing.models import PrepaidLine, Promise, PromiseStatus
from billing.services.dunning.debts import Debt, overdue_of
from hardware.models import OPEN_OUTAGE, DownCause, Onu, OnuStatus, Outage, OutageOnu
from hardware.selectors import STALE_AFTER_INTERVALS
from ipam.models import Address, Pool
from ipam.selectors import hinted_pools, serves
from ipam.services.usage import Counts, counts_of_pools
from subscribers.models import Hold, PaymentKind, Subscription

ATTEMPTS_READ = 20
STALE_INTERVALS = 3  # As aaa/sql/sweeps.sql closes sessions.
NOT_THERE = (OnuStatus.VANISHED, OnuStatus.REMOVED, OnuStatus.AUTHORISED)


@dataclass(frozen=True)
class Ended:
    """The last session that is over."""

    account_id: UUID
    stopped_at: datetime
    ended_by: str
    terminate_cause: str
    nas_id: UUID | None
    class_token: UUID | None


@dataclass(frozen=True)
class Found:
    """The rows behind one diagnosis. `port_total` counts the ONUs of the port that should be there, `port_powerless`
    those of them that said they lost their power.
    """

    at: datetime
    zone: ZoneInfo
    line: Subscription
    holds: list[Hold]
    debts: list[Debt]
    promise: Promise | None
    prepaid: PrepaidLine | None
    account: Account | None
    state: AccountState | None
    attempts: list[AuthAttempt]
    session: Session | None
    ended: Ended | None
    nas_id: UUID | None
    nas: Nas | None
    addresses: list[Any]
    pool: Pool | None
    pool_counts: Counts | None
    onu: Onu | None
    port_total: int
    port_online: int
    port_powerless: int
    outage: Outage | None

    @property
    def today(self) -> date:
        return self.at.astimezone(self.zone).date()

    @property
    def last_refusal(self) -> AuthAttempt | None:
        """Return the refusal after which no log-in was accepted."""
        refused = [each for each in self.attempts if not each.accepted]
        last = max(refused, key=lambda each: each.last_at, default=None)
        accepted = self.last_accept
        return None if last is None or (accepted and accepted.last_at > last.last_at) else last

    @property
    def last_accept(self) -> AuthAttempt | None:
        return max(
            (each for each in self.attempts if each.accepted), key=lambda each: each.last_at, default=None
        )

    @property
    def unbegun(self) -> AuthAttempt | None:
        """Return the last accepted log-in if no session was reported of it, neither live nor ended."""
        accept, ended = self.last_accept, self.ended
        if accept is None or self.session is not None:
            return None
        if ended is None:
            return accept
        # By our Class, where the NAS echoes it: the clocks of NAS and server may differ.
        is_of_it = ended.class_token is not None and ended.class_token == accept.class_token
        return None if is_of_it or accept.last_at <= ended.stopped_at else accept

    @property
    def is_online(self) -> bool:
        """Tell whether a session runs and its NAS still reports on it."""
        return self.session is not None and not self.session_is_stale

    @property
    def session_is_stale(self) -> bool:
        if self.session is None or self.account is None:
            return False
        silence = timedelta(seconds=STALE_INTERVALS * self.account.service_profile.interim_seconds)
        return self.session.last_seen_at < self.at - silence

    @property
    def onu_seen_at(self) -> datetime | None:
        """Return when the ONU's state was last read."""
        return (self.onu.observed_at or self.onu.last_seen_at) if self.onu else None

    @property
    def was_heard_since_down(self) -> bool:
        """Tell whether the customer's router dialled in after its ONU was seen offline, so that this one is not it, or
        is back: a log-in that was tried after the last look at the ONU, or a live session that began after it went.
        """
        onu = self.onu
        if onu is None:
            return False
        gone_at = onu.vanished_at or onu.status_changed_at
        if self.is_online and self.session and gone_at and self.session.started_at > gone_at:
            return True
        seen_at = onu.vanished_at or self.onu_seen_at
        return seen_at is not None and self.tried_since(seen_at)

    def tried_since(self, at: datetime) -> bool:
        """Tell whether a log-in was tried after a moment, whatever became of it."""
        return any(each.last_at > at for each in self.attempts)

    @property
    def olt_is_silent(self) -> bool:
        """Tell whether the OLT was asked in vain, for longer than three polls."""
        return (
            self.onu is not None
            and bool(self.onu.olt.last_error)
            and is_old(self.onu.olt.last_answer_at, self.at)
        )

    @property
    def passes_the_olt(self) -> bool:
        """Tell whether the router dialled in through an OLT that is silent: after it missed two polls for certain."""
        answered_at = self.onu.olt.last_answer_at if self.onu else None
        missed_two = 2 * timedelta(seconds=settings.OLT_STATUS_SECONDS)
        return answered_at is not None and self.tried_since(answered_at + missed_two)

    def moment(self, at: datetime) -> str:
        """Write a time as the provider's clock shows it."""
        return str(formats.date_format(at.astimezone(self.zone), "j M Y H:i"))

    def since(self, at: datetime | None) -> str:
        return f"since {self.moment(at)}" if at else "for an unknown time"


def is_old(read_at: datetime | None, at: datetime) -> bool:
    """Tell whether something read of an OLT may no longer be so: three polls have gone by."""
    return read_at is None or at - read_at > STALE_AFTER_INTERVALS * timedelta(
        seconds=settings.OLT_STATUS_SECONDS
    )


def read(line_id: UUID, *, at: datetime) -> Found:
    """Read what is known of a line. Fifteen queries at the most, whatever it has; usually fourteen."""
    line = Subscription.objects.select_related("tenant", "plan", "subscriber__billing_profile").get(
        pk=line_id
    )
    zone = ZoneInfo(line.tenant.timezone)
    states = list(
        AccountState.objects.filter(account__subscription=line)
        .select_related("account__service_profile")
        .order_by("-account__enabled", "account_id")
    )
    session = _live_session(states)
    attempts = _attempts_of(states)
    ended = _last_ended(states) if session is None else None
    state = _state_of(states, session, attempts, ended)
    account = state.account if state else None
    attempts = [each for each in attempts if account and each.username_key == account.username_key]
    ended = ended if ended and account and ended.account_id == account.pk else None
    nas_id, nas = _nas_of(session, attempts, ended)
    pool = hinted_pools().filter(name=line.plan.pool_hint).first() if line.plan.pool_hint else None
    onu = Onu.objects.select_related("olt", "pon_port").filter(subscription=line).first()
    port_total, port_online, port_powerless = _port_counts(onu)
    profile = line.subscriber.billing_profile
    is_prepaid = profile is not None and profile.payment_kind == PaymentKind.PREPAID
    return Found(
        at=at,
        zone=zone,
        line=line,
        holds=list(Hold.objects.filter(subscription=line, released_at=None).order_by("opened_at")),
        debts=overdue_of(line.subscriber_id, on=at.astimezone(zone).date()),
        promise=None if is_prepaid else _open_promise(line),
        prepaid=PrepaidLine.objects.filter(subscription=line).first() if is_prepaid else None,
        account=account,
        state=state,
        attempts=attempts,
        session=session,
        ended=ended,
        nas_id=nas_id,
        nas=nas,
        addresses=_addresses_of(line, pool),
        pool=pool,
        pool_counts=counts_of_pools([pool.pk])[pool.pk] if pool else None,
        onu=onu,
        port_total=port_total,
        port_online=port_online,
        port_powerless=port_powerless,
        outage=_outage_of(onu),
    )


def _open_promise(line: Subscription) -> Promise | None:
    found: Promise | None = Promise.objects.filter(
        subscriber=line.subscriber_id, status=PromiseStatus.OPEN
    ).first()
    return found


def _live_session(states: list[AccountState]) -> Session | None:
    if not states:
        return None
    live = Session.objects.filter(account__in=[state.account_id for state in states], stopped_at=None)
    found: Session | None = live.select_related("nas").order_by("-started_at", "-id").first()
    return found


def _attempts_of(states: list[AccountState]) -> list[AuthAttempt]:
    if not states:
        return []
    keys = [state.account.username_key for state in states]
    rows = AuthAttempt.objects.filter(username_key__in=keys).select_related("nas").order_by("-at")
    return list(rows[: ATTEMPTS_READ * len(keys)])


def _last_ended(states: list[AccountState]) -> Ended | None:
    """Return the newest session that is over, of the last quarter of an hour or before."""
    ids = [state.account_id for state in _in_use(states)]
    if not ids:
        return None
    columns = ("account_id", "stopped_at", "ended_by", "terminate_cause", "nas_id", "class_token")
    recent = Session.objects.filter(account__in=ids, stopped_at__isnull=False).order_by()
    past = PastSession.objects.filter(account__in=ids).order_by("-started_at").values_list(*columns)[:1]
    row = recent.values_list(*columns).union(past, all=True).order_by("-stopped_at").first()
    return Ended(*row) if row else None


def _state_of(
    states: list[AccountState], session: Session | None, attempts: list[AuthAttempt], ended: Ended | None
) -> AccountState | None:
    """Return the account that is online, else the one last heard of, else the oldest; those switched on go first."""
    if session is not None:
        return next(state for state in states if state.account_id == session.account_id)
    heard: dict[UUID, datetime] = {ended.account_id: ended.stopped_at} if ended else {}
    of_name = {state.account.username_key: state.account_id for state in states}
    for each in attempts:
        account_id = of_name[each.username_key]
        heard[account_id] = max(each.last_at, heard.get(account_id, each.last_at))
    used = _in_use(states)
    newest = [state for state in used if state.account_id in heard]
    return max(newest, key=lambda state: heard[state.account_id], default=used[0] if used else None)


def _in_use(states: list[AccountState]) -> list[AccountState]:
    """Leave out what was switched off, unless all are."""
    return [state for state in states if state.account.enabled] or states


def _nas_of(
    session: Session | None, attempts: list[AuthAttempt], ended: Ended | None
) -> tuple[UUID | None, Nas | None]:
    """Return where the customer was last heard of; the id alone where that NAS is gone."""
    last: Any = session or next(iter(attempts), None)
    if last is not None:
        return last.nas_id, last.nas
    if ended is not None and ended.nas_id:
        return ended.nas_id, Nas.objects.filter(pk=ended.nas_id).first()
    return None, None


def _addresses_of(line: Subscription, pool: Pool | None) -> list[Any]:
    """Return what the line holds, each with whether it `fits` the pool of its plan."""
    rows = Address.objects.filter(subscription=line).select_related("pool").order_by("address")
    fits = serves(pool) if pool else Q(pk__in=[])
    return list(rows.annotate(fits=ExpressionWrapper(fits, output_field=BooleanField())))


def _port_counts(onu: Onu | None) -> tuple[int, int, int]:
    """Return how many ONUs of the port should be there, are online, and went without power."""
    if onu is None or onu.pon_port_id is None:
        return 0, 0, 0
    there = Onu.objects.filter(pon_port=onu.pon_port_id).exclude(status__in=NOT_THERE)
    gasped = Q(status=OnuStatus.OFFLINE, last_down_cause=DownCause.DYING_GASP)
    counted = there.aggregate(
        total=Count("pk"),
        online=Count("pk", filter=Q(status=OnuStatus.ONLINE)),
        powerless=Count("pk", filter=gasped),
    )
    return counted["total"], counted["online"], counted["powerless"]


def _outage_of(onu: Onu | None) -> Outage | None:
    """Return the open outage that took the ONU down, a confirmed one first."""
    if onu is None:
        return None
    rows = OutageOnu.objects.filter(onu=onu, up_at=None, outage__status__in=OPEN_OUTAGE)
    member = rows.select_related("outage__olt", "outage__pon_port").order_by("outage__status").first()
    return member.outage if member else None
