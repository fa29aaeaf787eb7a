"""A customer who is online, with everything behind the line in order, for tests that break one thing."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from aaa.models import Account, AuthAttempt, Nas, Session
from aaa.services import accounts, settling
from hardware.models import Onu
from ipam.models import Pool
from ipam.services import lines as addresses
from subscribers.models import Subscription
from tests.aaa.online import make_session
from tests.factories import (
    NasFactory,
    OltFactory,
    OnuFactory,
    PlanFactory,
    PonPortFactory,
    ServiceProfileFactory,
    SubscriptionFactory,
)
from tests.ipam.space import make_pool

ROUTER, STRANGER = "AA-BB-CC-00-00-01", "AA-BB-CC-00-00-02"
ADDRESS = "203.0.113.10"
PASSWORD = "dial-in secret"


@dataclass
class Home:
    """One line; times are counted back from `at`."""

    at: datetime
    line: Subscription
    pool: Pool
    account: Account
    nas: Nas
    onu: Onu
    session: Session | None = None

    def ago(self, **duration: float) -> datetime:
        return self.at - timedelta(**duration)

    def settle(self) -> None:
        """Let access follow what was decided, as its tasks do."""
        settling.settle([self.account.pk], at=self.at)
        self.account.refresh_from_db()

    def go_online(self, **fields: Any) -> Session:
        began = self.ago(hours=5)
        self.tried(began)
        values = {
            "framed_ip": ADDRESS, "station": ROUTER, "started_at": began, "last_event_at": self.ago(minutes=1),
            "last_seen_at": self.ago(minutes=1), "applied": self.account.wanted,
        }  # fmt: skip
        self.session = make_session(self.nas, self.account, "s1", **values | fields)
        return self.session

    def go_offline(self, **duration: float) -> datetime:
        """End the session; it is among the past ones when that was long ago."""
        stopped = self.ago(**duration or {"minutes": 10})
        Session.objects.filter(account=self.account).update(
            stopped_at=stopped, ended_by="stop", terminate_cause="User-Request", last_seen_at=stopped
        )
        return stopped

    def tried(self, at: datetime, reason: str = "", **fields: Any) -> AuthAttempt:
        values = {
            "at": at, "last_at": at, "account": self.account, "nas": self.nas, "username": self.account.username,
            "username_key": self.account.username_key, "station": ROUTER, "accepted": not reason, "reason": reason,
        }  # fmt: skip
        attempt: AuthAttempt = AuthAttempt.objects.create(**values | fields)
        return attempt

    def change_onu(self, **fields: Any) -> None:
        Onu.objects.filter(pk=self.onu.pk).update(**fields)


@transaction.atomic
def make_line(username: str = "jane", *, at: datetime, **of_line: Any) -> tuple[Subscription, Pool, Account]:
    """Make a running line as its services leave it: an address of the plan's pool, and an account for one device."""
    pool = make_pool(name=f"homes of {username}", network="203.0.113.0/24")
    plan = of_line.pop("plan", None) or PlanFactory(pool_hint=pool.name)
    line: Subscription = SubscriptionFactory(
        status="active", provisioned_at=at - timedelta(days=90), plan=plan, **of_line
    )
    addresses.settle_line(subscription_id=line.pk, at=at)
    account = accounts.create_account(
        at=at,
        username=username,
        password=PASSWORD,
        service_profile_id=ServiceProfileFactory(max_sessions=1).pk,
        subscription_id=line.pk,
    )
    return line, pool, account


@transaction.atomic
def make_home(username: str = "jane", *, online: bool = True, **of_line: Any) -> Home:
    """Make a line, and an ONU beside three others."""
    at = timezone.now()
    line, pool, account = make_line(username, at=at, **of_line)
    olt = OltFactory(name=f"Central of {username}", last_answer_at=at - timedelta(minutes=2))
    port = PonPortFactory(olt=olt, index="0/1/0", is_up=True)
    read: dict[str, Any] = {
        "olt": olt,
        "pon_port": port,
        "observed_at": at - timedelta(minutes=2),
        "measured_at": at - timedelta(minutes=9),
        "status_changed_at": at - timedelta(days=3),
    }
    onu = OnuFactory(subscription=line, serial=f"HWTC{username.upper()}", **read)
    for _ in range(3):
        OnuFactory(**read)
    nas = NasFactory(name=f"BNG of {username}", last_auth_at=at, last_acct_at=at)
    home = Home(at=at, line=line, pool=pool, account=account, nas=nas, onu=onu)
    home.settle()
    if online:
        home.go_online()
    return home
