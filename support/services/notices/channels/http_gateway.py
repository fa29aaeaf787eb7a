"""SMS and WhatsApp, by a gateway that takes signed JSON over HTTP.

`POST` with `{"id", "channel", "to", "from", "text"}`; `X-ISPCore-Signature: sha256=<hex>` is the HMAC-SHA256 of
`<timestamp>.<body>` under the gateway's secret, the timestamp standing in `X-ISPCore-Timestamp` in Unix seconds. Any
2yz answer takes the message. `id` stays the same at each try, and is sent as `Idempotency-Key` too.
"""

import hashlib
import hmac
import http.client
import json
import socket
import ssl
import threading
from contextlib import suppress
from datetime import datetime
from ipaddress import ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from support.services.notices.channels.base import Message, Refused, Uncertain, Unreachable

TIMEOUT_SECONDS = 15  # Of one step, and of all: who sends a byte now and then holds nobody up.
LONGEST_ANSWER = 64 * 1024
TRY_AGAIN = (408, 425, 429)  # RFC 9110 section 15.5.9, RFC 8470 section 5.2, RFC 6585 section 4.


class Forbidden(Exception):
    """The address leads into a network that messages may not be sent to."""


class HttpGateway:
    """One gateway. A connection for each message: gateways close idle ones, and then nobody knows what was taken."""

    def __init__(self, *, channel: str, url: str, secret: str, sender: str) -> None:
        self._channel, self._url, self._sender = channel, url, sender
        self._secret = secret.encode()

    def send(self, message: Message, *, at: datetime) -> None:
        body = json.dumps(
            {
                "id": message.key,
                "channel": self._channel,
                "to": message.address,
                "from": self._sender,
                "text": message.body,
            },
            ensure_ascii=False,
        ).encode()
        stamp = str(int(at.timestamp()))
        signature = hmac.new(self._secret, f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": message.key,
            "X-ISPCore-Timestamp": stamp,
            "X-ISPCore-Signature": f"sha256={signature}",
        }
        status, said = self._post(body, headers)
        if not 200 <= status < 300:
            again = status >= 500 or status in TRY_AGAIN
            raise Refused(f"The gateway answered {status}: {said}", again=again)

    def close(self) -> None:
        """Nothing stays open."""

    def _post(self, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
        parts = urlsplit(self._url)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection = _connection(parts.scheme, parts.hostname or "", parts.port)
        try:
            connection.connect()
        except (OSError, ValueError, http.client.HTTPException, Forbidden) as error:
            raise Unreachable(f"The gateway does not answer: {error}") from error
        last_call = threading.Timer(TIMEOUT_SECONDS, _hang_up, (connection.sock,))
        last_call.start()
        try:
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            said = answer.read(LONGEST_ANSWER).decode(errors="replace").strip()
            return answer.status, " ".join(said.split())
        except (OSError, http.client.HTTPException) as error:
            raise Uncertain(f"The gateway went away: {error}") from error
        finally:
            last_call.cancel()
            connection.close()


def is_allowed_address(address: str) -> bool:
    """Tell whether messages may be sent to an IP address: public ones, and those the installation names.

    Otherwise whoever may enter a gateway's address could let this machine ask its neighbours.
    """
    found = ip_address(address.partition("%")[0])
    named = any(found in ip_network(each) for each in settings.NOTICE_GATEWAY_NETWORKS)
    return named or (found.is_global and not found.is_multicast)


def _connection(scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
    kind: Any = _Https if scheme == "https" else _Http
    made: http.client.HTTPConnection = kind(host, port, timeout=TIMEOUT_SECONDS)
    return made


def _checked_socket(host: str, port: int, timeout: Any) -> socket.socket:
    """Connect to the very address that was checked: the name may lead elsewhere a moment later."""
    last: Exception = Forbidden(f"{host} leads into a network that messages may not be sent to.")
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        if not is_allowed_address(str(address[0])):
            continue
        found = socket.socket(family, kind, protocol)
        found.settimeout(timeout)
        try:
            found.connect(address)
        except OSError as error:
            found.close()
            last = error
        else:
            return found
    raise last


def _hang_up(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


class _Http(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = _checked_socket(self.host, self.port, self.timeout)


class _Https(http.client.HTTPSConnection):
    def connect(self) -> None:
        plain = _checked_socket(self.host, self.port, self.timeout)
        context = ssl.create_default_context()
        try:
            self.sock = context.wrap_socket(plain, server_hostname=self.host)
        except OSError:
            plain.close()
            raise
