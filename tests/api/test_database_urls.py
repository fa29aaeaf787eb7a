"""DATABASE_URL as libpq reads it: several hosts, and a host that is gone is passed over."""

import os
import socket
import subprocess
import sys
from urllib.parse import urlsplit

from ispcore.postgresql.urls import read_database
from tests import servers


def test_several_hosts() -> None:
    read = read_database("postgresql://isp_app:p%40ss@db1:5432,db2:5433/isp?target_session_attrs=primary")

    assert (read["HOST"], read["PORT"], read["NAME"]) == ("db1,db2", "5432,5433", "isp")
    assert (read["USER"], read["PASSWORD"]) == ("isp_app", "p@ss")
    assert read["OPTIONS"]["target_session_attrs"] == "primary"


def test_what_the_url_says_wins() -> None:
    read = read_database("postgres://isp_app@db1/isp?connect_timeout=9")

    assert read["OPTIONS"]["connect_timeout"] == "9"
    assert read["OPTIONS"]["tcp_user_timeout"] == 6000


def test_django_connects_to_the_host_that_is_there() -> None:
    parts = urlsplit(servers.servers.app_url)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # Bound and not listening: it refuses.
        hosts = f"127.0.0.1:{closed.getsockname()[1]},{parts.hostname}:{parts.port}"
        netloc = f"{parts.username}:{parts.password}@{hosts}"
        url = parts._replace(netloc=netloc, query="target_session_attrs=primary").geturl()

        asked = subprocess.run(
            [sys.executable, "-c", ASK], env={**os.environ, "DATABASE_URL": url}, capture_output=True, text=True,
            check=True,
        )  # fmt: skip

    assert asked.stdout.strip() == f"isp_app {parts.port}"


ASK = """
import django
from django.conf import settings

import os
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ispcore.settings")
django.setup()
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("SELECT current_user, inet_server_port()")
    print(*cursor.fetchone())
"""
