"""Columns that are kept in a form the packet path compares or opens."""

import re
from typing import Any

from django.db import models

from aaa.models.sealing import seal, unseal
from ispcore.crypto import SecretField

_HEX_12 = re.compile(r"[0-9a-f]{12}\Z")
LONGEST_TEXT = 253  # RFC 2865 section 5: an attribute's value has at most so many bytes.


class RadiusSecretField(SecretField):
    """A secret the database itself can open for FreeRADIUS (see `aaa.models.sealing`); a `Secret` in Python."""

    encrypt = staticmethod(seal)
    decrypt = staticmethod(unseal)


def username_key(username: str) -> str:
    """Return what two spellings of one user name share: `lower()`, as aaa/sql/authorize.sql does it."""
    return username.lower()


def station_key(station: str) -> str:
    """Return what two spellings of one calling station share: 12 hex digits for a MAC address, else lower case.

    MAC addresses come as aa:bb:cc:dd:ee:ff, AA-BB-…, aabb.ccdd.eeff and bare; PPTP and L2TP give an IP address
    there, whose digits could also be twelve. aaa_station in aaa/sql/words.sql does the same.
    """
    text = station.strip(" ").lower()
    digits = text.replace(":", "").replace("-", "").replace(".", "")
    return digits if text.count(".") in (0, 2) and _HEX_12.match(digits) else text


class UsernameKeyField(models.CharField):  # type: ignore[type-arg]
    """`username_key` of the row's `username`, written with the row, one by one or in bulk."""

    def pre_save(self, model_instance: Any, add: bool) -> str:
        key = username_key(model_instance.username)
        setattr(model_instance, self.attname, key)
        return key


class StationKeyField(models.CharField):  # type: ignore[type-arg]
    """`station_key` of the row's `calling_station_id`, written with the row, one by one or in bulk."""

    def pre_save(self, model_instance: Any, add: bool) -> str:
        key = station_key(model_instance.calling_station_id)
        setattr(model_instance, self.attname, key)
        return key


class DomainField(models.CharField):  # type: ignore[type-arg]
    """What follows the last @ of the row's `username`, in lower case, written with the row."""

    def pre_save(self, model_instance: Any, add: bool) -> str:
        domain = username_key(model_instance.username).rpartition("@")
        key = domain[2] if domain[1] else ""
        setattr(model_instance, self.attname, key)
        return key
