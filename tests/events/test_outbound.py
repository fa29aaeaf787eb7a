"""Where tenants may let this machine send to: out, and never to what stands beside it."""

import socket
from typing import Any

import pytest

from ispcore import outbound
from ispcore.outbound import BadUrl, Forbidden, Unreachable, check_url, is_allowed_address
from tests.events.receiver import receiver

HOSTILE = [
    "https://127.0.0.1/",
    "https://127.1/",
    "https://2130706433/",
    "https://0x7f.1/",
    "https://0x7f000001/",
    "https://0177.0.0.1/",
    "https://0/",
    "https://0.0.0.0/",
    "https://10.0.0.8/",
    "https://172.16.0.1/",
    "https://192.168.1.1/",
    "https://100.64.0.1/",
    "https://100.100.100.200/",
    "https://169.254.169.254/latest/meta-data/",
    "https://168.63.129.16/",
    "https://192.0.0.192/",
    "https://198.18.0.1/",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    "https://[::]/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:8.8.8.8]/",
    "https://[::127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[64:ff9b:1::a00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/",
    "https://[fd00:ec2::254]/",
    "https://[fe80::1]/",
    "https://[fe80::1%25eth0]/",
    "https://[fec0::1]/",
    "https://[ff02::1]/",
    "https://[2001:db8::1]/",
    "https://localhost/",
    "https://localhost./",
    "https://sub.localhost/",
    "https://metadata.google.internal/",
    "https://printer.local/",
    "https://router/",
    "https://user:word@hooks.example/",
    "https://hooks.example@10.0.0.8/",
    "https://hooks.example\\@10.0.0.8/",
    "https://hooks.example:22/",
    "https://hooks.example:5432/",
    "https://hooks.example:0/",
    "https://hooks.example:99999/",
    "https://hooks.example/#part",
    "https://hooks.example/a b",
    "https://hooks.example/\r\nHost: other",
    "https://１２７.0.0.1/",
    "https://ⓛocalhost/",
    "https://hooks.example/" + "x" * 500,
    "http://hooks.example/",
    "ftp://hooks.example/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "//hooks.example/",
    "https:///hooks",
    "https://[::1/",
    "hooks.example",
    "",
]


@pytest.mark.parametrize("url", HOSTILE)
def test_hostile_addresses_are_refused_as_they_are_entered(url):
    with pytest.raises(BadUrl):
        check_url(url)


# What a name leads to shows when it is looked up: the resolver takes these for addresses, too.
@pytest.mark.parametrize(
    "url",
    [url for url in HOSTILE if url.startswith("https://") and not set(url) & set("@\\#１ⓛ \r") and len(url) < 60
     and ":99999" not in url and "example" not in url and "///" not in url and url != "https://[::1/"
     and not any(name in url for name in ("metadata", "printer", "router", "sub.", "localhost."))],
)  # fmt: skip
def test_hostile_addresses_are_refused_when_it_is_sent(url):
    connection = outbound.Connection(url.replace("%25", "%"), ports=outbound.PORTS)

    with pytest.raises((Forbidden, Unreachable)) as refusal:
        connection.post(b"", {}, seconds=1)

    assert refusal.type is Forbidden or "%" in url


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example/in",
        "https://hooks.example:8443/in?key=1",
        "https://HOOKS.example:443",
        "https://xn--bcher-kva.example/",
        "https://8.8.8.8/",
        "https://[2606:4700::1111]/",
        "https://a-1.b-2.example/x%20y",
    ],
)
def test_public_ones_may_be_sent_to(url):
    assert check_url(url).geturl()


def test_a_network_that_the_installation_names_is_open_on_any_port_and_without_tls():
    networks = ["10.30.0.0/16"]

    assert check_url("http://10.30.1.2:9000/in", networks=networks).port == 9000
    assert check_url("https://erp.lan:9443/in", networks=networks).port == 9443
    for closed in ("http://10.31.1.2/", "https://10.31.1.2/", "http://erp.lan/", "https://8.8.8.8:9443/"):
        with pytest.raises(BadUrl):
            check_url(closed, networks=networks)


@pytest.mark.parametrize(
    ("address", "is_allowed"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("127.0.0.1", False),
        ("168.63.129.16", False),
        ("192.88.99.1", False),
        ("::ffff:8.8.8.8", False),
        ("64:ff9b::808:808", False),
        ("2002:808:808::1", False),
        ("3fff::1", False),
        ("10.20.3.4", True),
        ("10.21.3.4", False),
    ],
)
def test_only_public_addresses_and_named_networks(address, is_allowed):
    assert is_allowed_address(address, networks=["10.20.0.0/16"]) is is_allowed


def resolver(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Let a name lead to these addresses, at the first look-up, at the second and so on; return what was asked."""
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, **kwargs: Any) -> list[Any]:
        asked.append(host)
        found = answers[min(len(asked), len(answers)) - 1]
        return [(2, 1, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


@pytest.mark.parametrize("found", [["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["127.0.0.1", "8.8.8.8"]])
def test_a_name_is_refused_when_any_of_its_addresses_is_inside(monkeypatch, found):
    resolver(monkeypatch, found)

    with receiver() as neighbour, pytest.raises(Forbidden):
        outbound.Connection(neighbour.url.replace("127.0.0.1", "hooks.example")).post(b"", {}, seconds=1)

    assert neighbour.connections == 0


def test_a_name_is_looked_up_once_so_that_it_cannot_lead_elsewhere_a_moment_later(monkeypatch):
    with receiver() as there:
        asked = resolver(monkeypatch, ["127.0.0.1"], ["127.0.0.2"])
        connection = outbound.Connection(
            there.url.replace("127.0.0.1", "hooks.example"), networks=["127.0.0.1/32"]
        )
        answer = connection.post(b"{}", {"webhook-id": "1", "webhook-signature": "v1,eA=="}, seconds=5)
        connection.close()

    assert (asked, answer.status, there.connections) == (["hooks.example"], 401, 1)


def test_a_public_name_on_a_port_of_its_own_is_refused_though_a_network_is_named(monkeypatch):
    resolver(monkeypatch, ["8.8.8.8"])

    with pytest.raises(Forbidden, match="port 9443"):
        outbound.Connection(
            "https://hooks.example:9443/", networks=["10.0.0.0/8"], ports=outbound.PORTS
        ).post(b"", {}, seconds=1)


def test_no_proxy_of_the_environment_is_used(monkeypatch):
    with receiver() as there, receiver() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        connection = outbound.Connection(there.url, networks=["127.0.0.0/8"])
        connection.post(b"{}", {"webhook-id": "1", "webhook-signature": "v1,eA=="}, seconds=5)
        connection.close()

    assert (there.connections, proxy.connections) == (1, 0)
