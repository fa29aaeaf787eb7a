"""HTTP to addresses that tenants enter: never to a neighbour in the network, and never for longer than allowed.

Whoever may enter an address could otherwise let this machine ask what only it can reach: the cloud's metadata, the
broker, a router's page. So a name is looked up once, all it leads to must be public or named by the installation, and
the connection goes to the very address that was looked at. Redirects are not followed and proxies not used. What is
refused follows OWASP's "Server-Side Request Forgery Prevention" and IANA's special-purpose address registries.
"""

import http.client
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from itertools import count
from typing import Any
from urllib.parse import SplitResult, urlsplit

LONGEST_URL = 500
LONGEST_ANSWER = 64 * 1024
CLOSED_SECONDS = 1.0
WATCH_SECONDS = 0.1
PORTS = frozenset({443, 8443})
# Names that lead nowhere outside: RFC 6761, RFC 6762, RFC 8375, and what ICANN keeps for private use.
INSIDE = (
    "localhost",
    "local",
    "localdomain",
    "internal",
    "home.arpa",
    "lan",
    "intranet",
    "corp",
    "home",
    "private",
)
# What a resolver of the old kind takes for an IPv4 address: 127.1, 0x7f.1, 2130706433.
NUMBER = re.compile(r"(0x[0-9a-f]*|[0-9]+)\Z", re.IGNORECASE)

_GLOBAL_UNICAST = ip_network(
    "2000::/3"
)  # RFC 4291 section 2.4: mapped, NAT64 and site-local ones lie outside.
_NEVER = tuple(
    ip_network(each)
    for each in (
        "192.0.0.0/24",  # RFC 6890: protocol assignments.
        "192.88.99.0/24",  # RFC 7526: 6to4 relays, not used any more.
        "168.63.129.16/32",  # Microsoft Azure's host, which only its guests reach.
        "2001::/23",  # RFC 2928: Teredo and other assignments of protocols.
        "2002::/16",  # RFC 3056: 6to4, which carries an IPv4 address.
        "3fff::/20",  # RFC 9637: documentation.
    )
)


class BadUrl(Exception):
    """The address is none that may be sent to; the text says why, to whoever entered it."""


class Forbidden(Exception):
    """The address leads into a network that messages may not be sent to."""


class Unreachable(Exception):
    """Nobody was asked: no connection came about."""


class Uncertain(Exception):
    """The other side was asked and went away before it answered."""


@dataclass(frozen=True)
class Answer:
    """What came back; `text` is at most 64 KiB of it in one line."""

    status: int
    text: str
    retry_after: str = ""


def is_allowed_address(address: str, *, networks: Iterable[str] = ()) -> bool:
    """Tell whether messages may be sent to an IP address: public ones, and those in `networks`."""
    found = ip_address(address.partition("%")[0])
    return _is_named(found, networks) or _is_public(found)


def check_url(url: str, *, networks: Iterable[str] = ()) -> SplitResult:
    """Return the parts of an address that may be sent to as far as its text tells; where a name leads shows later.

    HTTPS to a public host on a port for it; plain HTTP and other ports only to `networks`. Raises BadUrl.
    """
    networks = tuple(networks)
    parts = _parts(url)
    host = parts.hostname or ""
    literal = _literal(host)
    is_named = literal is not None and _is_named(literal, networks)
    if literal is None:
        _check_name(host, networks)
    elif not is_named and not _is_public(literal):
        raise BadUrl(
            f"{host} is in a private or reserved network. The installation must name that network first."
        )
    if parts.scheme == "http" and not is_named:
        raise BadUrl("Messages go by HTTPS; plain HTTP only to a network that the installation names.")
    # Where a name leads, and so whether it may have a port of its own, shows when it is looked up.
    is_open = is_named or (literal is None and bool(networks))
    if parts.port is not None and parts.port not in PORTS and not is_open:
        raise BadUrl(f"Port {parts.port} is none for HTTPS: use 443 or 8443.")
    return parts


def _parts(url: str) -> SplitResult:
    if len(url) > LONGEST_URL:
        raise BadUrl(f"The address is longer than {LONGEST_URL} characters.")
    if not url.isascii() or not url.isprintable() or set(url) & set(' \\"<>^`{|}'):
        raise BadUrl("Write the address in plain ASCII: names in other scripts as xn--…, blanks as %20.")
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("https", "http") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        raise BadUrl("Give an address such as https://erp.example/hooks.")
    if "@" in parts.netloc:
        raise BadUrl("A name and password in the address would be written to logs: leave them out.")
    if parts.fragment:
        raise BadUrl("What follows a # is never sent: leave it out.")
    return parts


class Connection:
    """One host, asked again and again over one connection while it keeps it open; not for several threads."""

    def __init__(self, url: str, *, networks: Iterable[str] = (), ports: Iterable[int] | None = None) -> None:
        parts = urlsplit(url)
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        port = parts.port or (443 if parts.scheme == "https" else 80)
        kind: Any = _Https if parts.scheme == "https" else _Http
        self._connection: Any = kind(parts.hostname or "", port)
        self._connection.networks = tuple(networks)
        self._connection.ports = None if ports is None else frozenset(ports)

    def post(self, body: bytes, headers: dict[str, str], *, seconds: float) -> Answer:
        """Send and wait for the answer: `seconds` for the connection, and as many for all that follows.

        Raises Forbidden, Unreachable, Uncertain.
        """
        is_kept, began = self._connection.sock is not None, time.monotonic()
        try:
            return self._post(body, headers, seconds)
        except Uncertain:
            # Who keeps a connection may close it at any moment, and says so at once: then nobody read this.
            if not is_kept or time.monotonic() - began > CLOSED_SECONDS:
                raise
            return self._post(body, headers, seconds)

    def close(self) -> None:
        self._connection.close()

    def _post(self, body: bytes, headers: dict[str, str], seconds: float) -> Answer:
        connection = self._connection
        connection.timeout = seconds
        if connection.sock is None:
            try:
                connection.connect()
            except (OSError, ValueError, http.client.HTTPException) as error:
                connection.close()
                raise Unreachable(str(error)) from error
        # Of all, not of one step: who sends a byte now and then holds nobody up.
        last_call = _last_calls.add(connection.sock, seconds)
        try:
            connection.request("POST", self._path, body, headers)
            answer = connection.getresponse()
            said = answer.read(LONGEST_ANSWER).decode(errors="replace")
            if not answer.isclosed():
                connection.close()  # The rest is not waited for.
            text = " ".join("".join(c if c.isprintable() else " " for c in said).split())
            return Answer(answer.status, text, answer.headers.get("Retry-After", ""))
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise Uncertain(str(error) or type(error).__name__) from error
        finally:
            _last_calls.remove(last_call)


class _Http(http.client.HTTPConnection):
    networks: tuple[str, ...] = ()
    ports: frozenset[int] | None = None

    def connect(self) -> None:
        self.sock = _checked_socket(self.host, self.port, self.timeout, self.networks, self.ports)


class _Https(http.client.HTTPSConnection):
    networks: tuple[str, ...] = ()
    ports: frozenset[int] | None = None

    def connect(self) -> None:
        plain = _checked_socket(self.host, self.port, self.timeout, self.networks, self.ports)
        try:
            self.sock = tls_context().wrap_socket(plain, server_hostname=self.host)
        except OSError:
            plain.close()
            raise


@cache
def tls_context() -> ssl.SSLContext:
    """Return how certificates are checked; reading the authorities takes longer than a message does."""
    return ssl.create_default_context()


def _checked_socket(
    host: str, port: int, timeout: Any, networks: tuple[str, ...], ports: frozenset[int] | None
) -> socket.socket:
    """Connect to the very address that was checked: the name may lead elsewhere a moment later."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [ip_address(str(each[4][0]).partition("%")[0]) for each in found]
    are_named = all(_is_named(each, networks) for each in addresses)
    if not all(_is_named(each, networks) or _is_public(each) for each in addresses):
        raise Forbidden(f"{host} leads into a network that messages may not be sent to.")
    if ports is not None and port not in ports and not are_named:
        raise Forbidden(f"{host} is public, and port {port} is none for HTTPS.")
    last: OSError = OSError(f"{host} has no address.")
    for family, kind, protocol, _, address in found:
        made = socket.socket(family, kind, protocol)
        made.settimeout(timeout)
        try:
            made.connect(address)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            made.close()
            last = error
        else:
            return made
    raise last


def _check_name(host: str, networks: tuple[str, ...]) -> None:
    name = host.rstrip(".").lower()
    if NUMBER.match(name.rpartition(".")[2]):
        raise BadUrl(f"{host} is no name, and no IP address in its usual spelling.")
    if "%" in name or "_" in name.rpartition(".")[2]:
        raise BadUrl(f"{host} is no name of a host.")
    is_inside = "." not in name or any(name == each or name.endswith(f".{each}") for each in INSIDE)
    if is_inside and not networks:
        raise BadUrl(f"{host} leads nowhere outside this machine's own network.")


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _is_named(address: IPv4Address | IPv6Address, networks: Iterable[str]) -> bool:
    return any(address in ip_network(each) for each in networks)


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    return address.is_global and not address.is_multicast and not any(address in each for each in _NEVER)


def _hang_up(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


class _LastCalls:
    """Hangs up on who has taken too long; one thread for all of them, since starting one costs more than a message."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._due: dict[int, tuple[float, socket.socket]] = {}
        self._numbers = count()
        self._watcher: threading.Thread | None = None

    def add(self, connection: socket.socket, seconds: float) -> int:
        """Hang up in so many seconds, unless what is returned is removed before."""
        number = next(self._numbers)
        with self._lock:
            self._due[number] = (time.monotonic() + seconds, connection)
            # It ends when it has nothing to watch; and a process that was forked has not got its parent's.
            if self._watcher is None or not self._watcher.is_alive():
                self._watcher = threading.Thread(target=self._watch, name="last-calls", daemon=True)
                self._watcher.start()
        return number

    def remove(self, number: int) -> None:
        with self._lock:
            self._due.pop(number, None)

    def _watch(self) -> None:
        while True:
            time.sleep(WATCH_SECONDS)
            with self._lock:
                if not self._due:
                    self._watcher = None
                    return
                now = time.monotonic()
                for number in [each for each, (at, _) in self._due.items() if at <= now]:
                    _hang_up(self._due.pop(number)[1])


_last_calls = _LastCalls()
