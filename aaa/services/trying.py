"""Test log-ins: one real Access-Request, sent by a worker as a NAS would, and what became of it.

A RADIUS server tells NASes apart by the address a packet comes from. So the request is sent from the NAS' own address
where the worker has it (a NAS of the demo, or a worker on the router's own machine), and else as the NAS that has the
worker's address, if one is registered: register the machine of the RADIUS workers to test from there.
"""

import socket
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings

from aaa.models import Account, AuthAttempt, Nas
from aaa.radius.logins import LoginAnswer, Method, Reply, log_in
from aaa.radius.requests import Pair, UnsendableError
from aaa.services.actions import QUEUE
from ispcore.crypto import decrypt, encrypt
from ispcore.errors import DomainError, NotRegistered
from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job
from ispcore.tenants.context import current_tenant_id

KIND = "aaa.test_login"
# The same refusal within five minutes is counted on one row; the clocks of worker and database may differ a little.
COUNTED_TOGETHER = timedelta(minutes=6)
CLOCKS_APART = timedelta(seconds=5)


class NasNotKnown(NotRegistered):
    message = "There is no such NAS."
    field = "nas_id"


class NoStoredPassword(DomainError):
    code = "no_stored_password"
    message = "There is no account {username} of yours whose password could be sent. Type one."
    field = "password"


class NotFromHere(DomainError):
    code = "not_from_here"
    message = (
        "The RADIUS server tells NASes apart by where their packets come from, and {address} is no address of the "
        "machine that would send this one. Register {own}, which is, as a NAS, and test from there."
    )


class NotSendable(DomainError):
    code = "not_sendable"
    message = "{reason}"


def request_test_login(
    *, nas_id: UUID, username: str, password: str, method: str, station: str, user_id: UUID | None
) -> Job:
    """Start a test log-in. Without a password that of the account is sent, which nobody is shown.

    Raises NasNotKnown, NoStoredPassword.
    """
    nas = Nas.objects.filter(pk=nas_id).first()
    if nas is None:
        raise NasNotKnown
    if not password:
        account = Account.objects.filter(username_key=username.lower()).first()
        if account is None:
            raise NoStoredPassword(username=username)
        password = account.password.reveal()
    return jobs.enqueue(
        kind=KIND,
        params={
            "nas_id": str(nas.pk),
            "username": username,
            "password": encrypt(password, bound_to=_bound_to()),
            "method": Method(method).value,
            "station": station,
        },
        label=f"Test log-in of {username} on {nas.name}",
        queue=QUEUE,
        user_id=user_id,
    )


def try_login(run: jobs.Run, *, at: datetime) -> dict[str, Any]:
    """Send the request outside any transaction and return what came of it. Raises NotFromHere, NotSendable.

    It is a log-in like any other: logged, holding a place for a minute, and teaching a device where those are learned.
    """
    params = run.params
    with run.tenant():
        nas = Nas.objects.filter(pk=params["nas_id"]).first()
        if nas is None:
            raise NasNotKnown
        sender = _sender(nas)
        password = decrypt(params["password"], bound_to=_bound_to())
    answer = _send(sender, params, password)
    with run.tenant():
        reason = _reason(sender, params["username"], at) if answer.reply is Reply.REJECT else ""
    return {
        "nas": nas.name,
        "sent_as": sender.name,
        "username": params["username"],
        "method": params["method"],
        "reply": answer.reply.value,
        "reason": reason,
        "attributes": [list(pair) for pair in answer.attributes],
        "is_signed": answer.signed,
        "milliseconds": round(answer.milliseconds, 1),
    }


def _send(sender: Nas, params: dict[str, Any], password: str) -> LoginAnswer:
    attributes: list[Pair] = [("Service-Type", "Framed-User"), ("NAS-Port-Type", "Ethernet")]
    if params["station"]:
        attributes.append(("Calling-Station-Id", params["station"]))
    server, port = settings.RADIUS_SERVER
    try:
        return log_in(
            server=server,
            port=port,
            source=str(sender.address),
            secret=sender.secret.reveal().encode(),
            username=params["username"],
            password=password,
            method=Method(params["method"]),
            attributes=attributes,
        )
    except UnsendableError as error:
        raise NotSendable(reason=str(error)) from error
    except OSError as error:
        raise NotSendable(
            reason=f"There is no way to the RADIUS server {server}: {error.strerror}."
        ) from error


def _sender(nas: Nas) -> Nas:
    """Return the NAS as which this machine may ask: the one itself, or the one that has this machine's address."""
    if nas.address and _is_own(nas.address):
        return nas
    own = _own_address()
    found: Nas | None = Nas.objects.filter(address=own, is_active=True).first()
    if found is None:
        raise NotFromHere(address=nas.address or f"that of {nas.name}", own=own)
    return found


def _is_own(address: str) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


def _own_address() -> str:
    """Return the address from which this machine reaches the RADIUS server; nothing is sent for that."""
    server, port = settings.RADIUS_SERVER
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((server, port))
        except OSError as error:
            raise NotSendable(
                reason=f"There is no way to the RADIUS server {server}: {error.strerror}."
            ) from error
        return str(probe.getsockname()[0])


def _reason(sender: Nas, username: str, begun: datetime) -> str:
    """Return why it was refused, as the log says; '' where it went to another provider's accounts."""
    attempts = AuthAttempt.objects.filter(
        username_key=username.lower(), nas=sender, accepted=False, at__gt=begun - COUNTED_TOGETHER,
        last_at__gte=begun - CLOCKS_APART,
    )  # fmt: skip
    last = attempts.order_by("-last_at").first()
    return last.reason if last else ""


def _bound_to() -> str:
    return f"{KIND}:{current_tenant_id()}"
