"""Accounts that are online on a NAS, for tests of what is done about their sessions."""

from datetime import datetime, timedelta
from ipaddress import IPv4Address
from typing import Any
from uuid import UUID

from django.utils import timezone

from aaa.models import Account, Nas, NasType, Policy, PolicyReply, ServiceProfile, Session
from aaa.rendering import Rate, render
from ispcore.tenants.fields import new_id
from tests.aaa.nas_peer import NasPeer

ACTIVE = "active:aaaaaaaaaaaa.1.-.bbbbbbbbbbbb"


def make_nas(peer: NasPeer | None, nas_type: str = NasType.MIKROTIK, **fields: Any) -> Nas:
    """Make a NAS whose CoA goes to the peer; the address it sends from is another for each."""
    number = Nas.objects.count()
    values: dict[str, Any] = {
        "name": f"BNG {number}",
        "address": str(IPv4Address("198.51.100.1") + number),
        "secret": peer.secret if peer else "nobody-answers",
        "nas_type": nas_type,
        "coa_address": "127.0.0.1",
        "coa_port": peer.port if peer else 9,
        "nas_ip_reported": "127.0.0.1",
    }
    nas: Nas = Nas.objects.create(**values | fields)
    return nas


def make_policy(name: str = "Fibre 50", **fields: Any) -> Policy:
    """Make a policy with what every type of NAS is told of it."""
    values = fields or {"down_kbps": 50_000, "up_kbps": 10_000}
    policy: Policy = Policy.objects.create(name=name, **values)
    for nas_type in NasType.values:
        slots = render(nas_type, Rate(**values))
        named = dict(zip(("r1", "r2", "r3", "r4", "r5", "r6"), slots, strict=True))
        PolicyReply.objects.create(policy=policy, nas_type=nas_type, **named)
    return policy


def make_account(username: str, policy: Policy | None = None, **fields: Any) -> Account:
    """Make an account that wants to be active."""
    profile, _ = ServiceProfile.objects.get_or_create(name="PPPoE")
    values: dict[str, Any] = {"password": "secret-word", "wanted": ACTIVE}
    account: Account = Account.objects.create(
        username=username, service_profile=profile, policy=policy, **values | fields
    )
    return account


def make_session(nas: Nas, account: Account | None, acct_session_id: str, **fields: Any) -> Session:
    """Make a live session, last heard of two minutes ago."""
    seen: datetime = timezone.now() - timedelta(minutes=2)
    values: dict[str, Any] = {
        "unique_key": new_id(),
        "username": account.username if account else "",
        "station": "02:00:5E:00:00:01",
        "nas_port_id": "ether1",
        "framed_ip": "100.64.0.9",
        "started_at": seen - timedelta(hours=1),
        "last_event_at": seen,
        "last_seen_at": seen,
        "counted_at": seen,
    }
    account_id: UUID | None = account.pk if account else None
    session: Session = Session.objects.create(
        nas=nas, account_id=account_id, acct_session_id=acct_session_id, **values | fields
    )
    return session
