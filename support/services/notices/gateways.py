"""The gateways SMS and WhatsApp go by, and where one may stand."""

from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.db import transaction

from ispcore.crypto import Secret
from ispcore.errors import DomainError
from ispcore.outbound import is_allowed_address
from ispcore.tenants.base import changed, locked
from support.models import NoticeChannel
from support.services.settings import Invalid

SHORTEST_SECRET = 16


class DuplicateChannel(DomainError):
    code = "duplicate_notice_channel"
    message = "There is a gateway for this way already: change that one."
    field = "channel"


class BadAddress(Invalid):
    message = "Give an address such as https://sms.example/send, without a name and password in it."
    field = "url"


class NotEncrypted(Invalid):
    message = "Messages go by HTTPS; plain HTTP only to a network the installation names."
    field = "url"


class PrivateAddress(Invalid):
    message = (
        "{host} is in a private network. The installation must name it in NOTICE_GATEWAY_NETWORKS first."
    )
    field = "url"


class SecretTooShort(Invalid):
    message = f"The secret has at least {SHORTEST_SECRET} characters."
    field = "secret"


@transaction.atomic
def create_channel(**fields: Any) -> NoticeChannel:
    """Set up a gateway. Raises DuplicateChannel, BadAddress, NotEncrypted, PrivateAddress, SecretTooShort."""
    channel = NoticeChannel(**fields)
    _check(channel)
    if NoticeChannel.objects.filter(channel=channel.channel).exists():
        raise DuplicateChannel
    channel.save()
    return channel


@transaction.atomic
def change_channel(*, channel_id: UUID, **fields: Any) -> NoticeChannel:
    """Change what is given; the way stays. Safe to repeat.

    Raises BadAddress, NotEncrypted, PrivateAddress, SecretTooShort.
    """
    channel = locked(NoticeChannel, channel_id)
    fields.pop("channel", None)
    for name, value in fields.items():
        setattr(channel, name, value)
    _check(channel)
    return changed(channel, {})


@transaction.atomic
def remove_channel(*, channel_id: UUID) -> None:
    """Remove a gateway; what waits to go its way fails."""
    locked(NoticeChannel, channel_id).delete()


def _check(channel: NoticeChannel) -> None:
    secret = channel.secret.reveal() if isinstance(channel.secret, Secret) else channel.secret
    if len(secret or "") < SHORTEST_SECRET:
        raise SecretTooShort
    try:
        parts = urlsplit(channel.url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise BadAddress from error
    has_credentials = parts.username is not None or parts.password is not None
    if parts.scheme not in ("http", "https") or not host or has_credentials:
        raise BadAddress
    if not channel.url.isascii() or not channel.url.isprintable() or " " in channel.url:
        raise BadAddress
    literal = _literal(host)
    # A name is looked up when a message is sent, and the address it leads to is checked then.
    if literal and not is_allowed_address(literal, networks=settings.NOTICE_GATEWAY_NETWORKS):
        raise PrivateAddress(host=host)
    if parts.scheme == "http" and not (literal and not ip_address(literal).is_global):
        raise NotEncrypted


def _literal(host: str) -> str:
    try:
        return str(ip_address(host))
    except ValueError:
        return ""
