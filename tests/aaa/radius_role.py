"""The database as FreeRADIUS sees it: a connection of isp_radius, with the key, and the five functions by name."""

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from django.db import connection
from psycopg.rows import dict_row

from aaa.models.sealing import connection_setting
from tests import servers

ACCOUNTING = (
    "nas", "kind", "session_id", "class", "login", "station", "called", "nas_port_id", "framed_ip",
    "framed_ipv6_prefix", "delegated_prefix", "session_time", "in_octets", "out_octets", "in_giga", "out_giga",
    "in6_octets", "out6_octets", "in6_giga", "out6_giga", "event_epoch", "delay", "cause", "nas_ip",
)  # fmt: skip


COMMON = (
    "reason", "message", "nas_type", "r1", "framed_ip", "framed_pool", "session_timeout", "interim", "idle_timeout",
    "class", "handed", "rare", "password",
)  # fmt: skip
RARE = (
    "r2", "r3", "r4", "r5", "r6", "framed_ipv6_prefix", "framed_ipv6_pool", "delegated_prefix", "delegated_pool",
)  # fmt: skip


def read_answer(text: str) -> dict[str, str | None]:
    """Return the fields of what aaa_authorize answers, None for what is absent, and the context the class names."""
    common = dict(zip(COMMON, text.split("\x1f", len(COMMON) - 1), strict=True))
    rare = common.pop("rare")
    fields = common | dict(zip(RARE, rare.split("\x1e") if rare else [""] * len(RARE), strict=True))
    found: dict[str, str | None] = {name: value or None for name, value in fields.items()}
    found["reason"], found["message"] = common["reason"], common["message"]
    found["context"] = common["class"].partition(";")[2].partition(":")[0] or None
    return found


@contextmanager
def radius_connection(*, key: str | None = None) -> Iterator["Radius"]:
    """Connect as isp_radius to the tests' database, in autocommit, as each of FreeRADIUS' threads does."""
    url = urlsplit(servers.servers.radius_url)
    url = url._replace(path="/" + connection.settings_dict["NAME"])
    options = f"-c isp.radius_key={connection_setting() if key is None else key}"
    with psycopg.connect(urlunsplit(url), autocommit=True, row_factory=dict_row, options=options) as raw:
        yield Radius(raw)


class Radius:
    """The five functions, with everything that is not given absent."""

    def __init__(self, raw: "psycopg.Connection[dict[str, Any]]") -> None:
        self.raw = raw

    def client(self, source: str) -> str:
        return str(self._one("SELECT aaa_client(%s) AS answer", source)["answer"])

    def authorize(
        self, nas: object, login: str, station: str = "", called: str = "", port: str = ""
    ) -> dict[str, Any]:
        row = self._one(
            "SELECT aaa_authorize(%s, %s, %s, %s, %s) AS answer", str(nas), login, station, called, port
        )
        return read_answer(str(row["answer"]))

    def log_in(
        self, nas: object, login: str, station: str = "", *, password: str, source: str = "10.200.0.1"
    ) -> dict[str, Any]:
        """Log in as FreeRADIUS does for PAP and CHAP (RFC 1994 section 4.1), with identifier 7."""
        challenge = os.urandom(16)
        response = hashlib.md5(b"\x07" + password.encode() + challenge, usedforsecurity=False).hexdigest()
        row = self._one(
            "SELECT aaa_log_in(%s, %s, %s, %s, %s, %s, %s, %s) AS answer",
            str(nas), login, station, "", "", source, f"0x07{response}", f"0x{challenge.hex()}",
        )  # fmt: skip
        return read_answer(str(row["answer"]))

    def post_auth(
        self,
        nas: object,
        login: str,
        station: str = "",
        *,
        klass: str = "",
        result: str = "accept",
        reason: str = "",
        source: str = "10.200.0.1",
        handed: str = "",
    ) -> str:
        row = self._one(
            "SELECT aaa_post_auth(%s, %s, %s, %s, %s, %s, %s, %s) AS answer",
            str(nas), login, station, klass, result, reason, source, handed,
        )  # fmt: skip
        return str(row["answer"])

    def accounting(self, nas: object, kind: str, **given: object) -> int:
        """Send a packet; `at` is its Event-Timestamp as a datetime, `klass` its Class."""
        at = given.pop("at", None)
        values = {
            "nas": nas, "kind": kind, "session_id": "81000001", "login": "jane",
            "event_epoch": int(at.timestamp()) if isinstance(at, datetime) else int(time.time()),
            "class": given.pop("klass", ""), **given,
        }  # fmt: skip
        assert set(values) <= set(ACCOUNTING)
        row = self._one(
            f"SELECT aaa_accounting({', '.join(['%s'] * len(ACCOUNTING))}) AS answer",
            *(str(values.get(name, "")) for name in ACCOUNTING),
        )
        return int(row["answer"])

    def _one(self, statement: str, *values: str) -> dict[str, Any]:
        row = self.raw.execute(statement, values).fetchone()
        assert row is not None
        return row
