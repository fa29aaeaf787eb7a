"""The demo's address book: networks kept for documentation, shared space behind CGNAT, and a month of its use.

Public addresses are of TEST-NET-2 and TEST-NET-3 (RFC 5737), IPv6 of 2001:db8::/32 (RFC 3849), the inside of CGNAT of
100.64.0.0/10 (RFC 6598).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from ipam.models import (
    Address,
    AddressState,
    Drift,
    DriftKind,
    Pool,
    Reconciliation,
    ReconciliationStatus,
    SeenIn,
    Vrf,
)
from ipam.services import cgnat, layout, pools, space, usage
from ispcore.tenants.context import current_tenant_id
from subscribers.models import Plan, Zone

HISTORY_DAYS = 30
HOMES, BEHIND_CGNAT, BUSINESS, PREFIXES = (
    "Homes, public",
    "Homes behind CGNAT",
    "Business, static",
    "Prefixes /56",
)
WAN6, MANAGEMENT = "Homes, IPv6", "Device management"
# Plans name their pool; every line that runs gets one of it, and of those for all lines.
PLANS = {
    "FIBRE-50": BEHIND_CGNAT,
    "FIBRE-200": BEHIND_CGNAT,
    "FIBRE-500": HOMES,
    "FIBRE-1000": HOMES,
    "BUSINESS-500": BUSINESS,
}
FOR_ALL = (WAN6, PREFIXES)
# VRF, network, name, zone, site, VLAN, gateway
SUBNETS = (
    ("default", "198.51.100.0/24", "Public addresses of homes", "", "Exchange building", None, None),
    ("default", "198.51.100.0/25", "Homes, public", "Northport", "Exchange building", 300, "198.51.100.1"),
    ("default", "203.0.113.0/24", "Public addresses of businesses and CGNAT", "", "Exchange building", None, None),
    ("default", "203.0.113.0/26", "Business, static", "", "Exchange building", 200, "203.0.113.1"),
    ("default", "203.0.113.64/28", "Servers", "", "Exchange building", 20, "203.0.113.65"),
    ("default", "203.0.113.128/25", "Outside of CGNAT", "", "Exchange building", None, None),
    ("default", "100.64.0.0/16", "Inside of CGNAT", "", "", None, None),
    ("default", "100.64.0.0/20", "Homes behind CGNAT", "Northport", "Exchange building", 100, "100.64.0.1"),
    ("default", "2001:db8::/32", "All of IPv6", "", "", None, None),
    ("default", "2001:db8:0:1::/64", "Homes, IPv6", "", "Exchange building", 300, "2001:db8:0:1::1"),
    ("default", "2001:db8:100::/40", "Prefixes of customers", "", "", None, None),
    ("management", "10.255.0.0/16", "All devices", "", "", None, None),
    ("management", "10.255.0.0/24", "OLTs and routers", "", "Exchange building", 10, "10.255.0.1"),
    ("management", "10.255.8.0/24", "Devices in the field", "Hillside", "Water tower", 11, "10.255.8.1"),
)  # fmt: skip


@dataclass(frozen=True)
class _Plan:
    """What a pool is, and how its use grew: the share of today's that was there a month ago."""

    vrf: str
    name: str
    purpose: str
    first: str
    last: str
    then: float = 0.8
    family: int = 4
    prefix_length: int | None = None
    exclusions: tuple[tuple[str, str, str], ...] = ()


POOLS = (
    _Plan("default", HOMES, "dynamic", "198.51.100.10", "198.51.100.125", then=0.72),
    _Plan("default", BUSINESS, "static", "203.0.113.2", "203.0.113.62", then=0.9,
          exclusions=(("203.0.113.2", "203.0.113.5", "routers"),)),
    _Plan("default", BEHIND_CGNAT, "cgnat", "100.64.0.0", "100.64.15.255"),
    _Plan("default", WAN6, "dynamic", "2001:db8:0:1::1:0", "2001:db8:0:1::1:ffff", family=6),
    _Plan("default", PREFIXES, "dynamic", "2001:db8:100::", "2001:db8:1ff:ffff:ffff:ffff:ffff:ffff", family=6,
          prefix_length=56),
    _Plan("management", MANAGEMENT, "management", "10.255.8.10", "10.255.8.249", then=0.55),
)  # fmt: skip
# VRF, subnet, address, host name, what holds it
DEVICES = (
    ("management", "10.255.0.0/24", "10.255.0.2", "core-1.demo.example", "core-1 loopback"),
    ("management", "10.255.0.0/24", "10.255.0.3", "core-2.demo.example", "core-2 loopback"),
    ("management", "10.255.0.0/24", "10.255.0.11", "olt-central.demo.example", "OLT Central"),
    ("management", "10.255.0.0/24", "10.255.0.12", "olt-hillside.demo.example", "OLT Hillside"),
    ("management", "10.255.0.0/24", "10.255.0.13", "olt-riverside.demo.example", "OLT Riverside"),
    ("default", "203.0.113.64/28", "203.0.113.66", "ns1.demo.example", "Name server"),
    ("default", "203.0.113.64/28", "203.0.113.67", "ns2.demo.example", "Name server"),
    ("default", "203.0.113.64/28", "203.0.113.70", "mail.demo.example", "Mail server"),
)  # fmt: skip
RESERVED = (
    (HOMES, "198.51.100.120", "New exchange at Riverside"),
    (HOMES, "198.51.100.121", "New exchange at Riverside"),
    (HOMES, "198.51.100.122", "New exchange at Riverside"),
    (BUSINESS, "203.0.113.40", "Offer to the hotel, until the end of the month"),
    (BUSINESS, "203.0.113.41", "Offer to the hotel, until the end of the month"),
)
FIELD_DEVICES = 58
# Of the range that IEEE 802 leaves to local use.
MACS = ("02:00:5e:10:00:17", "02:00:5e:10:00:2a", "02:00:5e:10:00:63")


def load(*, at: datetime, whole: bool) -> None:
    """Give the bound tenant an address book, the `whole` or a small one; one that has pools stays as it is."""
    if Pool.objects.exists():
        return
    book = _Book(at=at, whole=whole)
    book.make_space()
    book.make_pools()
    book.serve_lines()
    if whole:
        book.hold_devices()
        book.keep_back()
    book.remember_the_ended()
    book.remember_the_moved()
    usage.fold(at=at)
    book.invent_samples()
    if whole:
        book.map_ports()
        book.disagree()


class _Book:
    def __init__(self, *, at: datetime, whole: bool) -> None:
        self.at = at
        self.names = {plan.name for plan in POOLS if whole or plan.name in (BEHIND_CGNAT, PREFIXES)}
        self.whole = whole
        self.vrfs: dict[str, Vrf] = {}
        self.pools: dict[str, Pool] = {}

    def make_space(self) -> None:
        self.vrfs["default"] = space.default_vrf()
        if self.whole:
            self.vrfs["management"] = space.create_vrf(
                name="management",
                rd="64500:10",
                description="OLTs, routers and ONUs; not reached from outside",
            )
        zones = dict(Zone.objects.values_list("name", "pk"))
        for vrf, network, name, zone, site, vlan, gateway in SUBNETS:
            if vrf in self.vrfs:
                space.create_subnet(
                    vrf_id=self.vrfs[vrf].pk, network=network, name=name, zone_id=zones.get(zone), site=site,
                    vlan_id=vlan, gateway=gateway,
                )  # fmt: skip

    def make_pools(self) -> None:
        """Make the pools and their first addresses, and let plans name them."""
        for plan in POOLS:
            if plan.name not in self.names:
                continue
            pool = pools.create_pool(
                vrf_id=self.vrfs[plan.vrf].pk,
                name=plan.name,
                purpose=plan.purpose,
                kind="prefix" if plan.prefix_length else "address",
                family=plan.family,
                prefix_length=plan.prefix_length,
                dns_servers=["2001:db8::53"] if plan.family == 6 else ["203.0.113.66", "203.0.113.67"],
                ranges_given=[{"first": plan.first, "last": plan.last}],
                exclusions=[{"first": a, "last": b, "reason": why} for a, b, why in plan.exclusions],
            )
            layout.make_rows(pool, at=self.at - timedelta(days=400))
            self.pools[plan.name] = pool
        for code, name in PLANS.items():
            Plan.objects.filter(code=code).update(pool_hint=name if name in self.pools else BEHIND_CGNAT)

    def serve_lines(self) -> None:
        """Give each line that runs or is suspended an address of its plan's pool and of those for all, in order."""
        for name, pool in self.pools.items():
            if name == MANAGEMENT:
                continue
            self._run(
                """
                WITH line AS MATERIALIZED (
                    SELECT line.id, line.provisioned_at, row_number() OVER (ORDER BY line.number) AS place
                    FROM subscribers_subscription AS line
                    JOIN subscribers_plan AS plan ON plan.tenant_id = line.tenant_id AND plan.id = line.plan_id
                    WHERE line.tenant_id = %(tenant)s AND line.status IN ('active', 'suspended')
                          AND (%(for_all)s OR plan.pool_hint = %(pool_name)s)
                ), free AS MATERIALIZED (
                    SELECT id, row_number() OVER (ORDER BY address) AS place
                    FROM ipam_address WHERE tenant_id = %(tenant)s AND pool_id = %(pool)s AND state = 'free'
                ), given AS MATERIALIZED (  -- New tables have no statistics: the order of joins is said.
                    SELECT free.id, line.id AS line, line.provisioned_at FROM line JOIN free USING (place)
                )
                UPDATE ipam_address AS address
                SET state = 'assigned', subscription_id = given.line, free_since = NULL,
                    assigned_at = COALESCE(given.provisioned_at, %(at)s)
                FROM given WHERE address.tenant_id = %(tenant)s AND address.id = given.id
                """,
                pool=pool.pk,
                pool_name=name,
                for_all=name in FOR_ALL,
            )

    def hold_devices(self) -> None:
        """Put down what devices hold: routers and servers by name, the boxes in the field by number."""
        for vrf, network, address, hostname, holder in DEVICES:
            self._run(
                """
                INSERT INTO ipam_address (id, tenant_id, created_at, updated_at, vrf_id, subnet_id, address, state,
                                          assigned_to, hostname, assigned_at, reserved_for, note)
                SELECT uuidv7(), %(tenant)s, %(at)s, %(at)s, vrf_id, id, %(address)s, 'assigned', %(holder)s,
                       %(hostname)s, %(at)s - interval '400 days', '', ''
                FROM ipam_subnet
                WHERE tenant_id = %(tenant)s AND vrf_id = %(vrf)s AND network = %(network)s
                """,
                vrf=self.vrfs[vrf].pk,
                network=network,
                address=address,
                hostname=hostname,
                holder=holder,
            )
        self._run(
            """
            UPDATE ipam_address AS address
            SET state = 'assigned', free_since = NULL, assigned_to = 'Street cabinet ' || device.place,
                hostname = 'cabinet-' || device.place || '.demo.example',
                assigned_at = %(at)s - interval '1 day' * (3 * device.place)
            FROM (
                SELECT id, row_number() OVER (ORDER BY address) AS place
                FROM ipam_address WHERE tenant_id = %(tenant)s AND pool_id = %(pool)s AND state = 'free'
                ORDER BY address LIMIT %(devices)s
            ) AS device
            WHERE address.tenant_id = %(tenant)s AND address.id = device.id
            """,
            pool=self.pools[MANAGEMENT].pk,
            devices=FIELD_DEVICES,
        )

    def keep_back(self) -> None:
        """Reserve a few."""
        for name, address, why in RESERVED:
            self._run(
                """
                UPDATE ipam_address SET state = 'reserved', reserved_for = %(why)s, free_since = NULL
                WHERE tenant_id = %(tenant)s AND pool_id = %(pool)s AND address = %(address)s AND state = 'free'
                """,
                pool=self.pools[name].pk,
                address=address,
                why=why,
            )

    def remember_the_ended(self) -> None:
        """Let lines that are over have held addresses that are free."""
        for name, pool in self.pools.items():
            self._run(
                """
                INSERT INTO ipam_pastassignment (id, tenant_id, created_at, updated_at, vrf_id, pool_id, address,
                    subscription_id, assigned_to, hostname, began_at, ended_at, reason)
                SELECT uuidv7(), %(tenant)s, %(at)s, %(at)s, free.vrf_id, %(pool)s, free.address, line.id, '', '',
                       line.provisioned_at, line.terminated_at, 'service ended'
                FROM (
                    SELECT line.id, line.provisioned_at, line.terminated_at,
                           row_number() OVER (ORDER BY line.number) AS place
                    FROM subscribers_subscription AS line
                    JOIN subscribers_plan AS plan ON plan.tenant_id = line.tenant_id AND plan.id = line.plan_id
                    WHERE line.tenant_id = %(tenant)s AND line.status = 'terminated'
                          AND line.provisioned_at IS NOT NULL AND plan.pool_hint = %(pool_name)s
                ) AS line JOIN (
                    SELECT vrf_id, address, row_number() OVER (ORDER BY address DESC) AS place
                    FROM ipam_address WHERE tenant_id = %(tenant)s AND pool_id = %(pool)s AND state = 'free'
                ) AS free USING (place)
                """,
                pool=pool.pk,
                pool_name=name,
            )

    def remember_the_moved(self) -> None:
        """Let a few lines that changed their plan have held addresses that still rest."""
        for name in (HOMES, BEHIND_CGNAT):
            if name in self.pools:
                self._run(
                    """
                    WITH moved AS MATERIALIZED (
                        SELECT line.id AS line, free.id, free.vrf_id, free.address,
                               %(at)s - interval '3 hours' * place AS ended_at
                        FROM (
                            SELECT line.id, row_number() OVER (ORDER BY line.number) AS place
                            FROM subscribers_subscription AS line
                            JOIN subscribers_plan AS plan
                                 ON plan.tenant_id = line.tenant_id AND plan.id = line.plan_id
                            WHERE line.tenant_id = %(tenant)s AND line.status = 'active'
                                  AND line.provisioned_at < %(at)s - interval '60 days'
                                  AND plan.pool_hint NOT IN (%(pool_name)s, '')
                            ORDER BY line.number LIMIT 4
                        ) AS line JOIN (
                            SELECT id, vrf_id, address, row_number() OVER (ORDER BY address) AS place
                            FROM ipam_address WHERE tenant_id = %(tenant)s AND pool_id = %(pool)s AND state = 'free'
                        ) AS free USING (place)
                    ), past AS (
                        INSERT INTO ipam_pastassignment (id, tenant_id, created_at, updated_at, vrf_id, pool_id,
                            address, subscription_id, assigned_to, hostname, began_at, ended_at, reason)
                        SELECT uuidv7(), %(tenant)s, %(at)s, %(at)s, vrf_id, %(pool)s, address, line, '', '',
                               %(at)s - interval '50 days', ended_at, 'plan changed'
                        FROM moved
                    )
                    UPDATE ipam_address AS address
                    SET state = 'quarantined', free_since = NULL,
                        quarantined_until = moved.ended_at + interval '1 day'
                    FROM moved WHERE address.tenant_id = %(tenant)s AND address.id = moved.id
                    """,
                    pool=self.pools[name].pk,
                    pool_name=name,
                )

    def invent_samples(self) -> None:
        """File a sample an hour of the last weeks: it grew to what it is today, and sways a little by the day."""
        for plan in POOLS:
            if plan.name not in self.pools:
                continue
            self._run(
                """
                INSERT INTO ipam_usagesample (id, tenant_id, created_at, updated_at, pool_id, at, total, reserved,
                                              assigned, quarantined)
                SELECT uuidv7(), %(tenant)s, %(at)s, %(at)s, pool_id, hour, total, reserved,
                       GREATEST(0, LEAST(assigned, round(assigned * (%(then)s + (1 - %(then)s) * passed)
                                                         + 1.2 * sin(extract(epoch FROM hour) / 40000)))),
                       quarantined
                FROM ipam_poolusage,
                     generate_series(date_trunc('hour', %(at)s::timestamptz) - interval '1 day' * %(days)s,
                                     date_trunc('hour', %(at)s::timestamptz) - interval '1 hour', '1 hour') AS hour,
                     LATERAL (SELECT 1 - extract(epoch FROM %(at)s - hour) / (86400.0 * %(days)s) AS passed) AS p
                WHERE tenant_id = %(tenant)s AND pool_id = %(pool)s
                ON CONFLICT (tenant_id, pool_id, at) DO NOTHING
                """,
                pool=self.pools[plan.name].pk,
                then=plan.then,
                days=HISTORY_DAYS,
            )

    def map_ports(self) -> None:
        """Say which ports of which public address each inside address has."""
        cgnat.create_rule(
            name="Homes of Northport",
            vrf_id=self.vrfs["default"].pk,
            pool_id=self.pools[BEHIND_CGNAT].pk,
            inside_first="100.64.0.0",
            inside_last="100.64.15.255",
            public_first="203.0.113.128",
            public_last="203.0.113.255",
            valid_from=self.at - timedelta(days=400),
            note="2016 ports a line, 32 lines a public address",
        )

    def disagree(self) -> None:
        """File last night's comparison with a router's ARP list, and where it found the book wrong."""
        vrf, found_at = self.vrfs["default"], self.at - timedelta(hours=5)
        rows = Address.objects.filter(pool=self.pools[HOMES])
        held = list(rows.filter(state=AddressState.ASSIGNED).order_by("address")[:12])
        free = rows.filter(state=AddressState.FREE).order_by("-address").first()
        if len(held) < 12 or free is None:
            return
        run = Reconciliation.objects.create(
            vrf=vrf, seen_in=SeenIn.ARP, status=ReconciliationStatus.DONE, addresses_seen=93, drifts_found=4,
            started_at=found_at, finished_at=found_at + timedelta(seconds=2),
        )  # fmt: skip
        of_run: dict[str, Any] = {"reconciliation": run, "vrf": vrf}
        seen: dict[str, Any] = {**of_run, "seen_at": found_at}
        Drift.objects.bulk_create(
            [
                Drift(**seen, kind=DriftKind.USED_BUT_FREE, address=free.address, record=free, seen_as=MACS[0]),
                Drift(**seen, kind=DriftKind.USED_BY_OTHER, address=held[3].address, record=held[3],
                      holder_id=held[3].subscription_id, seen_subscription_id=held[7].subscription_id, seen_as=MACS[1]),
                Drift(**of_run, kind=DriftKind.ASSIGNED_NOT_SEEN, address=held[11].address, record=held[11],
                      holder_id=held[11].subscription_id),
                Drift(**seen, kind=DriftKind.UNKNOWN_ADDRESS, address="192.0.2.77", seen_as=MACS[2]),
            ]
        )  # fmt: skip

    def _run(self, sql: str, **given: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(sql, {"tenant": current_tenant_id(), "at": self.at, **given})
