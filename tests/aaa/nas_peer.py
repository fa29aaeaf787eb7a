"""Run a real FreeRADIUS as a NAS: the receiving side of RFC 5176, written by somebody else than our sender.

The Acct-Session-Id of a request says how this NAS treats it: `nak-506-x` is refused with Error-Cause 506, `bare-x`
without a cause, `drop-x` never answered, `flaky-x` at the second copy, `twice-x` is two sessions unless NAS-Port-Id
tells them apart, `stubborn-405-x` refuses a CoA only, and any other is an ordinary session. A session that was
disconnected is gone. The port after `port` is strict: silent to whatever lacks a Message-Authenticator or a fresh
Event-Timestamp. One more port is a RADIUS server's, where `amal` logs in with `right`.
"""

import contextlib
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests import system_packages

SECRET = "nas-peer-secret"
ADDRESS = "127.0.0.1"

# One line per request, of these fields.
JOURNAL = " ".join(
    (
        "%{Packet-Type}",
        "session=%{Acct-Session-Id}",
        "user=%{User-Name}",
        "ip=%{Framed-IP-Address}",
        "port=%{NAS-Port-Id}",
        "nas=%{NAS-IP-Address}%{NAS-Identifier}",
        "id=%{Packet-Authentication-Vector}",
        "rate=%{Mikrotik-Rate-Limit}",
        "filter=%{Filter-Id}",
        "pairs=%{Cisco-AVPair[*]}",
        "ma=%{%{Message-Authenticator}:-none}",
        "ts=%{%{integer:Event-Timestamp}:-none}",
    )
)

CONFIGURATION = """
name = nas
prefix = /usr
libdir = /usr/lib/freeradius
confdir = "{folder}"
logdir = "{folder}"
run_dir = "{folder}"
pidfile = "{folder}/pid"
# A copy of a dropped packet has to be looked at again; a copy of an answered one finds its session gone.
cleanup_delay = 0
max_requests = 65536
proxy_requests = no
hostname_lookups = no
log {{
    destination = files
    file = "{folder}/log"
}}
security {{
    max_attributes = 200
    reject_delay = 0
    status_server = no
}}
thread pool {{
    start_servers = 2
    max_servers = 4
    min_spare_servers = 1
    max_spare_servers = 2
    max_requests_per_server = 0
}}
client us {{
    ipaddr = 127.0.0.0/8
    secret = {secret}
}}
modules {{
    always yes {{
        rcode = ok
    }}
    always no {{
        rcode = reject
    }}
    always stop {{
        rcode = handled
    }}
    expr {{
    }}
    pap {{
    }}
    chap {{
    }}
    cache gone {{
        driver = "rlm_cache_rbtree"
        key = "%{{Acct-Session-Id}}%{{User-Name}}%{{Framed-IP-Address}}"
        ttl = 600
        update {{
            &control:Tmp-String-8 := "gone"
        }}
    }}
    cache copies {{
        driver = "rlm_cache_rbtree"
        key = "%{{Packet-Type}} %{{Acct-Session-Id}}"
        ttl = 600
        update {{
            &control:Tmp-String-9 := "seen"
        }}
    }}
    linelog journal {{
        filename = "{folder}/journal"
        format = "{journal}"
    }}
}}
server nas {{
    listen {{
        type = coa
        ipaddr = {address}
        port = {port}
    }}
    listen {{
        type = coa
        ipaddr = {address}
        port = {strict}
    }}
    recv-coa {{
        journal
        if (&Packet-Dst-Port == {strict}) {{
            if (!&Message-Authenticator || !&Event-Timestamp) {{
                update control {{
                    &Response-Packet-Type := Do-Not-Respond
                }}
                stop
            }}
            elsif ("%{{expr:%l - %{{integer:Event-Timestamp}}}}" > 300) {{
                update control {{
                    &Response-Packet-Type := Do-Not-Respond
                }}
                stop
            }}
        }}
        if (&NAS-IP-Address && (&NAS-IP-Address != {address})) {{
            update reply {{
                &Error-Cause := NAS-Identification-Mismatch
            }}
            no
        }}
        if (!&Acct-Session-Id && !(&User-Name && &Framed-IP-Address)) {{
            update reply {{
                &Error-Cause := Missing-Attribute
            }}
            no
        }}
        if (&Acct-Session-Id =~ /^drop/) {{
            update control {{
                &Response-Packet-Type := Do-Not-Respond
            }}
            stop
        }}
        if (&Acct-Session-Id =~ /^flaky/) {{
            update control {{
                &Cache-Status-Only := yes
            }}
            copies.authorize
            if (notfound) {{
                copies.authorize
                update control {{
                    &Response-Packet-Type := Do-Not-Respond
                }}
                stop
            }}
        }}
        if (&Acct-Session-Id =~ /^nak-([0-9]+)/) {{
            update reply {{
                &Error-Cause := "%{{1}}"
            }}
            no
        }}
        if (&Acct-Session-Id =~ /^stubborn-([0-9]+)/ && (&Packet-Type == CoA-Request)) {{
            update reply {{
                &Error-Cause := "%{{1}}"
            }}
            no
        }}
        if (&Acct-Session-Id =~ /^bare/) {{
            no
        }}
        if (&Acct-Session-Id =~ /^twice/ && !&NAS-Port-Id) {{
            update reply {{
                &Error-Cause := 508
            }}
            no
        }}
        update control {{
            &Cache-Status-Only := yes
        }}
        gone.authorize
        if (ok) {{
            update reply {{
                &Error-Cause := Session-Context-Not-Found
            }}
            no
        }}
        if (&Packet-Type == Disconnect-Request) {{
            if (&Mikrotik-Rate-Limit || &Filter-Id || &Cisco-AVPair) {{
                update reply {{
                    &Error-Cause := Unsupported-Attribute
                }}
                no
            }}
            gone.authorize
        }}
        elsif (&Mikrotik-Rate-Limit && (&Mikrotik-Rate-Limit !~ /^[0-9]+[kM]?\\/[0-9]+[kM]?( |$)/)) {{
            update reply {{
                &Error-Cause := Invalid-Attribute-Value
            }}
            no
        }}
        yes
    }}
    send-coa {{
        yes
    }}
}}
server door {{
    listen {{
        type = auth
        ipaddr = {address}
        port = {auth}
    }}
    authorize {{
        if (&User-Name == "amal") {{
            update control {{
                &Cleartext-Password := "right"
            }}
        }}
        pap
        chap
    }}
    authenticate {{
        Auth-Type PAP {{
            pap
        }}
        Auth-Type CHAP {{
            chap
        }}
    }}
    post-auth {{
        update reply {{
            &Message-Authenticator := 0x00
            &Mikrotik-Rate-Limit := "10M/50M"
            &Framed-IP-Address := 100.64.0.9
            &Class := 0x0a0b
            &Cisco-AVPair += "ip:sub-qos-policy-in=UP"
            &Cisco-AVPair += "ip:sub-qos-policy-out=DOWN"
            &USR-Last-Number-Dialed-Out := "7"
            &Ascend-Data-Rate := 64
        }}
        Post-Auth-Type REJECT {{
            update reply {{
                &Reply-Message := "Wrong name or password"
            }}
        }}
    }}
}}
"""


@dataclass(frozen=True)
class NasPeer:
    """A running FreeRADIUS: a NAS on two ports of 127.0.0.1, a RADIUS server on a third."""

    port: int
    strict_port: int
    auth_port: int
    secret: str
    folder: Path

    def journal(self) -> list[dict[str, str]]:
        """Return what arrived, in order: each line's fields and its packet type as `type`."""
        path = self.folder / "journal"
        lines = path.read_text().splitlines() if path.exists() else []
        return [
            {"type": line.split(" ", 1)[0], **dict(re.findall(r"(\w+)=(.*?)(?= \w+=|$)", line))}
            for line in lines
        ]

    def of(self, session: str) -> list[dict[str, str]]:
        """Return the journal of one Acct-Session-Id."""
        return [entry for entry in self.journal() if entry["session"] == session]


def free_ports(count: int) -> int:
    """Return the first of so many UDP ports in a row that are free."""
    while True:
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError, OverflowError):
            first = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            first.bind((ADDRESS, 0))
            port = int(first.getsockname()[1])
            for number in range(1, count):
                other = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                other.bind((ADDRESS, port + number))
            return port


@contextlib.contextmanager
def running(folder: Path, secret: str = SECRET) -> Iterator[NasPeer]:
    """Run the NAS until the block ends; `folder` takes its configuration and journal."""
    program = system_packages.find("freeradius")
    assert program is not None
    port = free_ports(3)
    (folder / "radiusd.conf").write_text(
        CONFIGURATION.format(
            folder=folder,
            secret=secret,
            address=ADDRESS,
            port=port,
            strict=port + 1,
            auth=port + 2,
            journal=JOURNAL,
        )
    )
    (folder / "radiusd.conf").chmod(0o640)
    (folder / "dictionary").touch()
    command = [program, "-f", "-d", str(folder), "-n", "radiusd", "-l", str(folder / "log")]
    with (folder / "out").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
    try:
        _wait_until_ready(process, folder)
        yield NasPeer(port, port + 1, port + 2, secret, folder)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(process: "subprocess.Popen[bytes]", folder: Path) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        log = (folder / "log").read_text() if (folder / "log").exists() else ""
        if "Ready to process requests" in log:
            return
        if process.poll() is not None:
            raise RuntimeError(f"FreeRADIUS did not start:\n{(folder / 'out').read_text()}{log}")
        time.sleep(0.05)
    raise RuntimeError("FreeRADIUS did not become ready")
