"""Read a database URL as libpq does: several hosts, and every parameter it knows."""

from typing import Any

from psycopg.conninfo import conninfo_to_dict

# A host that vanishes says nothing. These bound, in seconds, what a caller then waits: for a new connection, for the
# answer on one that carries data, and for the kernel to give up one that is silent. The URL's own parameters win.
NOTICES_A_LOST_HOST = {
    "connect_timeout": 3,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 6000,  # Milliseconds.
}


def read_database(url: str) -> dict[str, Any]:
    """Return Django's settings of the database at `url`.

    Several hosts are separated by commas and are tried in turn: with `target_session_attrs=primary` the one that
    takes writes is used (`read-write` would refuse the platform's role, which only reads). Connections are kept, one
    per serving thread: a pool was no faster, and must not be forked.
    Raises psycopg.ProgrammingError for what libpq cannot read.
    """
    given = {name: value for name, value in conninfo_to_dict(url).items() if value is not None}
    named = {
        key: given.pop(name, "")
        for key, name in (
            ("NAME", "dbname"),
            ("USER", "user"),
            ("PASSWORD", "password"),
            ("HOST", "host"),
            ("PORT", "port"),
        )
    }
    return {
        **named,
        "ENGINE": "ispcore.postgresql",
        "CONN_MAX_AGE": 300,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {**NOTICES_A_LOST_HOST, **given},
    }
