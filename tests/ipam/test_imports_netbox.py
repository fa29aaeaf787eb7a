"""NetBox's exports: the answers of its API and dumps of its tables."""

import io
import json
from typing import Any

import pytest

from ipam.models import Address, BookFormat, Subnet, Vrf
from ipam.services.imports import netbox
from ispcore.files.tables import UnreadableFile
from tests.ipam.importing import check, counts, errors, export, import_file, upload

pytestmark = pytest.mark.django_db

# As the REST API of NetBox 4 shows them, less what is not read.
RED = {"id": 7, "url": "/api/ipam/vrfs/7/", "display": "red (64500:7)", "name": "red", "rd": "64500:7"}
VRFS = {
    "count": 1, "next": None, "previous": None,
    "results": [{**RED, "tenant": None, "enforce_unique": True, "description": "Business"}],
}  # fmt: skip


def prefix(network: str, number: int = 1, **fields: Any) -> dict[str, Any]:
    return {
        "id": number, "url": f"/api/ipam/prefixes/{number}/", "display": network,
        "family": {"value": 4, "label": "IPv4"}, "prefix": network, "vrf": None, "scope": None, "vlan": None,
        "status": {"value": "active", "label": "Active"}, "description": "", "comments": "", "tags": [], **fields,
    }  # fmt: skip


def address(text: str, number: int = 1, **fields: Any) -> dict[str, Any]:
    return {
        "id": number, "url": f"/api/ipam/ip-addresses/{number}/", "display": text,
        "family": {"value": 4, "label": "IPv4"}, "address": text, "vrf": None,
        "status": {"value": "active", "label": "Active"}, "assigned_object_type": None, "assigned_object": None,
        "dns_name": "", "description": "", "comments": "", "tags": [], "custom_fields": {}, **fields,
    }  # fmt: skip


ETH0 = {
    "id": 9, "display": "eth0", "name": "eth0", "device": {"id": 2, "display": "edge-1", "name": "edge-1"},
}  # fmt: skip
BOOK = {
    "ip-addresses": [
        address("10.0.0.1/24", 1, assigned_object_type="dcim.interface", assigned_object=ETH0),
        address("10.0.0.2/24", 2, dns_name="www.example", description="Web"),
        address("10.0.0.3/24", 3, status={"value": "reserved", "label": "Reserved"}, description="Next router"),
        address("10.0.0.4/24", 4, status={"value": "deprecated", "label": "Deprecated"}),
        address("10.0.0.5/24", 5, vrf=RED),
        address("10.0.0.6/24", 6),
    ],
    "prefixes": {
        "count": 3, "next": None,
        "results": [
            prefix("10.0.0.0/24", 1, description="Servers", vlan={"id": 3, "vid": 30, "name": "srv"},
                   scope_type="dcim.site", scope={"id": 1, "name": "North", "slug": "north"}),
            prefix("10.0.0.0/8", 2, status={"value": "container", "label": "Container"}),
            prefix("10.0.0.0/16", 3, vrf=RED),
        ],
    },
    "vrfs": VRFS,
}  # fmt: skip


def test_a_whole_book_is_taken_in_whatever_its_order(acting):
    of_import = check(upload(export(BOOK), name="netbox.json"), acting)
    assert (of_import.file_format, counts(of_import), errors(of_import)) == (
        BookFormat.NETBOX,
        (10, 0, 0, 0),
        [],
    )
    assert not Subnet.objects.exists()

    of_import = import_file(export(BOOK), acting)

    assert counts(of_import) == (10, 0, 0, 0)
    red = Vrf.objects.get(name="red")
    assert (red.rd, red.description) == ("64500:7", "Business")
    tree = Subnet.objects.order_by("vrf__name", "network").values_list(
        "vrf__name", "network", "parent_network", "name", "site", "vlan_id"
    )
    assert list(tree) == [
        ("default", "10.0.0.0/8", None, "", "", None),
        ("default", "10.0.0.0/24", "10.0.0.0/8", "Servers", "North", 30),
        ("red", "10.0.0.0/16", None, "", "", None),
    ]
    book = Address.objects.order_by("address").values_list(
        "address", "vrf__name", "subnet__network", "state", "assigned_to", "reserved_for", "hostname", "note"
    )
    assert list(book) == [
        ("10.0.0.1", "default", "10.0.0.0/24", "assigned", "edge-1 eth0", "", "", ""),
        ("10.0.0.2", "default", "10.0.0.0/24", "assigned", "www.example", "", "www.example", "Web"),
        ("10.0.0.3", "default", "10.0.0.0/24", "reserved", "", "Next router", "", "Next router"),
        ("10.0.0.4", "default", "10.0.0.0/24", "reserved", "", "Deprecated in NetBox", "", ""),
        ("10.0.0.5", "red", "10.0.0.0/16", "assigned", "NetBox IP address 5", "", "", ""),
        ("10.0.0.6", "default", "10.0.0.0/24", "assigned", "NetBox IP address 6", "", "", ""),
    ]


def test_it_can_be_done_again(acting):
    import_file(export(BOOK), acting)

    again = import_file(export(BOOK), acting)

    assert counts(again) == (0, 0, 10, 0)
    assert (Subnet.objects.count(), Address.objects.count()) == (3, 6)


def test_lists_may_come_one_by_one(acting):
    for content in (VRFS, BOOK["prefixes"], {"count": 6, "results": BOOK["ip-addresses"]}):
        assert errors(import_file(export(content), acting)) == []

    assert Address.objects.get(address="10.0.0.5").vrf.name == "red"


def test_a_dump_of_the_tables(acting):
    def row(model: str, key: int, **fields: Any) -> dict[str, Any]:
        return {"model": f"ipam.{model}", "pk": key, "fields": fields}

    content = [
        {"model": "dcim.site", "pk": 1, "fields": {"name": "North"}},
        row(
            "ipaddress",
            4,
            address="10.1.0.9/24",
            vrf=7,
            status="dhcp",
            role="",
            dns_name="",
            description="Printer",
        ),
        row("prefix", 3, prefix="10.1.0.0/24", vrf=7, vlan=5, status="active", description="Office"),
        row("vlan", 5, vid=120, name="office"),
        row("vrf", 7, name="red", rd="64500:7", description=""),
        row("ipaddress", 5, address="10.1.0.10/24", vrf=8, status="active", dns_name=""),
    ]

    of_import = import_file(export(content), acting)

    assert counts(of_import) == (3, 0, 0, 1)
    assert errors(of_import) == [(6, "vrf", "The VRF with the key 8 is not in the file.")]
    assert Subnet.objects.values_list("vrf__name", "network", "name", "vlan_id").get() == (
        "red", "10.1.0.0/24", "Office", 120,
    )  # fmt: skip
    assert Address.objects.get().assigned_to == "Printer"


def test_what_is_wrong_is_told_by_the_objects_number(acting):
    content = {
        "vrfs": [{**RED, "rd": "seven"}, {**RED, "id": 8, "name": "", "rd": None}],
        "prefixes": [
            prefix("10.0.0.5/24"), prefix("10.0.0.0/24"), prefix("10.0.0.0/24"), prefix("10.2.0.0/24", vrf=RED),
            prefix("x"),
        ],
        "ip-addresses": [
            address("192.0.2.1/24"), address("10.0.0.1/24"), address("10.0.0.1/24"), address("10.0.0.0/24"),
            address("no"),
        ],
    }  # fmt: skip

    of_import = import_file(export(content), acting)

    assert counts(of_import) == (2, 0, 0, 10)
    assert errors(of_import) == [
        (
            1,
            "rd",
            "A route distinguisher is an AS number or an IPv4 address, a colon and a number, such as 64500:1.",
        ),
        (2, "name", "A VRF needs a name."),
        (3, "prefix", "10.0.0.5/24 has host bits set: is 10.0.0.0/24 meant?"),
        (5, "prefix", "Object 4 of this file is the same prefix."),
        (6, "vrf", "There is no VRF “red”, and it is not in the file."),
        (7, "prefix", "'x' is no IP address."),
        (8, "address", "192.0.2.1 lies in no subnet of its VRF. Add the subnet first."),
        (10, "address", "Row 9 of this file has the same address."),
        (11, "address", "10.0.0.0 is never handed out: the network address of 10.0.0.0/24."),
        (12, "address", "'no' is no IP address."),
    ]


@pytest.mark.parametrize("size", [1, 7, 64, 4096])
def test_objects_are_found_wherever_the_pieces_end(size, monkeypatch):
    monkeypatch.setattr(netbox, "PIECE_CHARACTERS", size)
    content = {
        "note": "käse \\" * 20,
        "n": [1, 22.5, [3]],
        "prefixes": {"results": [prefix("10.0.0.0/24")] * 3},
    }

    found = list(netbox.objects_in(io.BytesIO(json.dumps(content, ensure_ascii=False).encode())))

    assert [(kind, given["prefix"]) for kind, _, given in found] == [("prefix", "10.0.0.0/24")] * 3


@pytest.mark.parametrize(
    "content",
    [
        b'{"vrfs": [',
        b'{"vrfs" [',
        b'{"vrfs": [{} {}]}',
        b'{"vrfs": [nope]}',
        b"[" * 100_000,
        b'{"a": {"b": \xff}}',
    ],
)
def test_what_is_no_json_is_refused(content):
    with pytest.raises(UnreadableFile):
        list(netbox.objects_in(io.BytesIO(content)))
