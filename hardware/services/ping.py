"""Is a service's line alive: ICMP echo to the address the system itself knows for it.

Nobody names the address: it comes from the sources that upper apps register here, else from the address book, and
it is looked up again when the packets leave. So no caller can have this system probe a host of their choice.
"""

from collections.abc import Callable
from enum import StrEnum
from ipaddress import ip_address
from typing import Any
from uuid import UUID

from django.db import transaction
from icmplib import ICMPLibError, SocketPermissionError, ping

from ipam.selectors import address_of_line
from ispcore.errors import DomainError, RetryableError
from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job
from subscribers.models import Subscription

# A source returns the address a subscription has now, None when it knows none. Runs in the tenant's context.
AddressSource = Callable[[UUID], str | None]

KIND = "hardware.ping_service"
PACKETS = 10
MOST_PACKETS = 100
INTERVAL_SECONDS = 0.2
TIMEOUT_SECONDS = 1.0
STABLE_SHARE = 0.8

_sources: dict[str, AddressSource] = {}


class Verdict(StrEnum):
    NO_INTERNET = "no_internet"
    INTERMITTENT = "intermittent"
    STABLE = "stable"


class NoKnownAddress(DomainError):
    code = "no_known_address"
    message = "No address is known for service {number}: it is not online, or has not been given one."


class PingNotPermitted(RetryableError):
    code = "ping_not_permitted"
    message = (
        "This host lets the worker send no ICMP. Set net.ipv4.ping_group_range to include the worker's group, or "
        "give it CAP_NET_RAW."
    )


class PingFailed(RetryableError):
    code = "ping_failed"
    message = "Nothing could be sent to {address}: {reason}"


def register_address_source(name: str, source: AddressSource) -> None:
    """Add a source of addresses, asked in the order of registration; the same name replaces.

    A live session knows better than the address book, which is asked last.
    """
    _sources[name] = source


def remove_address_source(name: str) -> None:
    _sources.pop(name, None)


def address_of(subscription_id: UUID) -> str | None:
    """Return the address the system knows for a subscription now; a name is none."""
    for source in (*_sources.values(), address_of_line):
        try:
            return str(ip_address(source(subscription_id) or ""))
        except ValueError:
            continue
    return None


@transaction.atomic
def request_ping(*, subscription_id: UUID, user_id: UUID | None, packets: int = PACKETS) -> Job:
    """Start a ping of a service in the background, or return the one that runs.

    `packets` is how many echo requests are sent, from 1 to MOST_PACKETS. Raises NoKnownAddress.
    """
    line = Subscription.objects.get(pk=subscription_id)
    if address_of(line.pk) is None:
        raise NoKnownAddress(number=line.number)
    return jobs.enqueue(
        kind=KIND,
        subject=f"subscription:{line.pk}",
        label=f"Ping of service {line.number}",
        params={"subscription_id": str(line.pk), "packets": packets},
        queue="network",
        user_id=user_id,
    )


def ping_service(run: jobs.Run) -> dict[str, Any]:
    """Send echo requests and judge the answers. Raises NoKnownAddress, PingNotPermitted."""
    with run.tenant():
        line = Subscription.objects.get(pk=run.params["subscription_id"])
        address = address_of(line.pk)
    if address is None:
        raise NoKnownAddress(number=line.number)
    packets = run.params.get("packets", PACKETS)
    run.progress(0, packets, "Sending")
    host = _ping(address, packets)
    heard = bool(host.packets_received)
    return {
        "verdict": str(verdict(sent=host.packets_sent, received=host.packets_received)),
        "address": address,
        "sent": host.packets_sent,
        "received": host.packets_received,
        "loss_percent": round(100 * host.packet_loss, 1),
        "rtt_min_ms": host.min_rtt if heard else None,
        "rtt_avg_ms": host.avg_rtt if heard else None,
        "rtt_max_ms": host.max_rtt if heard else None,
    }


def verdict(*, sent: int, received: int) -> Verdict:
    """Judge a line: nothing came back, less than four of five, or enough."""
    if not received:
        return Verdict.NO_INTERNET
    return Verdict.STABLE if received >= STABLE_SHARE * sent else Verdict.INTERMITTENT


def _ping(address: str, packets: int) -> Any:
    """Send through a datagram socket, which needs no privilege where the kernel's group range allows it."""
    options: dict[str, Any] = {"count": packets, "interval": INTERVAL_SECONDS, "timeout": TIMEOUT_SECONDS}
    try:
        try:
            return ping(address, privileged=False, **options)
        except SocketPermissionError:
            return ping(address, privileged=True, **options)
    except SocketPermissionError as error:
        raise PingNotPermitted from error
    except ICMPLibError as error:
        raise PingFailed(address=address, reason=error) from error
