"""SMS and WhatsApp, by a gateway that takes signed JSON over HTTP.

`POST` with `{"id", "channel", "to", "from", "text"}`; `X-ISPCore-Signature: sha256=<hex>` is the HMAC-SHA256 of
`<timestamp>.<body>` under the gateway's secret, the timestamp standing in `X-ISPCore-Timestamp` in Unix seconds. Any
2yz answer takes the message. `id` stays the same at each try, and is sent as `Idempotency-Key` too.
"""

import hashlib
import hmac
import json
from datetime import datetime

from django.conf import settings

from ispcore import outbound
from support.services.notices.channels.base import Message, Refused, Uncertain, Unreachable

TIMEOUT_SECONDS = 15  # Of one step, and of all: who sends a byte now and then holds nobody up.
TRY_AGAIN = (408, 425, 429)  # RFC 9110 section 15.5.9, RFC 8470 section 5.2, RFC 6585 section 4.


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
        answer = self._post(body, headers)
        if not 200 <= answer.status < 300:
            again = answer.status >= 500 or answer.status in TRY_AGAIN
            raise Refused(f"The gateway answered {answer.status}: {answer.text}", again=again)

    def close(self) -> None:
        """Nothing stays open."""

    def _post(self, body: bytes, headers: dict[str, str]) -> outbound.Answer:
        connection = outbound.Connection(self._url, networks=settings.NOTICE_GATEWAY_NETWORKS)
        try:
            return connection.post(body, headers, seconds=TIMEOUT_SECONDS)
        except (outbound.Forbidden, outbound.Unreachable) as error:
            raise Unreachable(f"The gateway does not answer: {error}") from error
        except outbound.Uncertain as error:
            raise Uncertain(f"The gateway went away: {error}") from error
        finally:
            connection.close()
