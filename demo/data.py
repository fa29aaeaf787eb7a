"""The demo's two providers: `demo`, with customers and their invoices, an address book, a network and a month of
readings, a helpdesk and its tickets, and `rival`.

Everything here is made up; the addresses are loopback addresses of the simulated devices.
"""

from datetime import datetime, timedelta

from demo import access, addresses, billing, customers, network, support
from demo.olt import SimulatedOlt, Vendor
from hardware import services
from hardware.models import CliProtocol, Olt, OnuPreset
from ispcore.jobs import services as jobs
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Membership, Tenant, User
from ispcore.tenants.roles import Role

PASSWORD = "demo-admin"  # noqa: S105  (public on purpose; refused on any address but loopback)

TENANTS = {
    "demo": ("Demo Fibre", "Europe/Lisbon"),
    "rival": ("Rival Networks", "Africa/Johannesburg"),
}
STAFF = {
    "demo": {
        "admin": ("Ada Admin", Role.ADMINISTRATOR),
        "noc": ("Nils Network", Role.NETWORK_OPERATIONS),
        "office": ("Olga Office", Role.SUBSCRIBER_ACCOUNTS),
        "helpdesk": ("Hana Helpdesk", Role.SUPPORT),
    },
    "rival": {"admin": ("Rita Rival", Role.ADMINISTRATOR)},
}
CUSTOMERS = {"demo": (300, "EUR"), "rival": (12, "ZAR")}
# tenant, name, vendor, address, site, ONUs: what the Procfile's simulated OLTs serve.
OLTS: tuple[tuple[str, str, Vendor, str, str, int], ...] = (
    ("demo", "Central", "huawei", "127.0.0.2", "Exchange building", 512),
    ("demo", "Hillside", "ufiber", "127.0.0.3", "Water tower", 32),
    ("rival", "Main", "huawei", "127.0.0.5", "Headquarters", 24),
)
SNMP_PORT = 16161
# The OLT with a command line, and how many ONUs wait there; the Procfile's simulated OLT has both.
CLI_OLT, CLI_PORT, WAITING = "Central", 16122, 3
CLI_USER, CLI_PASSWORD = "isp", "isp-olt"
PRESETS = (
    {"name": "Fibre 100, bridged", "line_profile": "FTTH_100M", "service_profile": "bridge", "vlan": 100},
    {"name": "Fibre 300, routed", "line_profile": "FTTH_300M", "service_profile": "router", "vlan": 300},
)
COMMUNITY = "public"
DYING_GASP = 13  # HUAWEI-XPON-MIB, last down cause.


def load(*, at: datetime) -> None:
    """Make the demo's tenants, people, customers, OLTs and readings; what is there already stays as it is."""
    for slug, (name, timezone) in TENANTS.items():
        tenant, _ = Tenant.objects.get_or_create(slug=slug, defaults={"name": name, "timezone": timezone})
        with tenant_context(tenant.pk):
            _make_staff(tenant)
            count, currency = CUSTOMERS[slug]
            customers.load(count=count, currency=currency, at=at)
            addresses.load(at=at, whole=slug == "demo")
            if slug == "demo":
                access.load(at=at)
                billing.load(at=at)
        for owner, olt_name, vendor, ip, site, onus in OLTS:
            if owner == slug:
                _make_olt(tenant, name=olt_name, vendor=vendor, ip=ip, site=site, onus=onus, at=at)
        if slug == "demo":
            # Nobody sees the outage before those it took down are told: a worker that is up would tell them, too.
            with tenant_context(tenant.pk):
                _make_outage(tenant, at=at)
                support.load(at=at)


def _make_staff(tenant: Tenant) -> None:
    for login, (full_name, role) in STAFF[tenant.slug].items():
        email = f"{login}@{tenant.slug}.example"
        user = User.objects.filter(email=email).first() or User.objects.create_user(
            email=email, password=PASSWORD, full_name=full_name
        )
        Membership.objects.get_or_create(tenant=tenant, user=user, defaults={"role": role})


def _make_olt(
    tenant: Tenant, *, name: str, vendor: Vendor, ip: str, site: str, onus: int, at: datetime
) -> None:
    """Register one OLT and discover it once from a simulator in this process, on a port of its own."""
    with (
        SimulatedOlt(vendor, onus=onus, pon_ports=16, host="127.0.0.1", community=COMMUNITY) as simulator,
        # One transaction around all of it: a worker that is up already must not take the job before we do.
        tenant_context(tenant.pk),
    ):
        if Olt.objects.filter(name=name).exists():
            return
        if name == CLI_OLT:
            for port in range(WAITING):
                simulator.plug_in(port)
        olt = Olt.objects.create(
            name=name,
            vendor=vendor,
            ip=simulator.host,
            snmp_port=simulator.port,
            community=COMMUNITY,
            site=site,
        )
        _discover(tenant, olt, at=at)
        Olt.objects.filter(pk=olt.pk).update(ip=ip, snmp_port=SNMP_PORT)
        network.invent(olt, until=at)
        if name == CLI_OLT:
            _open_command_line(olt)
            network.invent_past_outage(olt, until=at)


def _open_command_line(olt: Olt) -> None:
    """Register the OLT's log-in and what its ONUs are authorised by."""
    olt.refresh_from_db()
    olt.cli_protocol, olt.cli_port, olt.cli_username = CliProtocol.SSH, CLI_PORT, CLI_USER
    olt.cli_password = CLI_PASSWORD
    olt.save(update_fields=["cli_protocol", "cli_port", "cli_username", "cli_password", "updated_at"])
    for preset in PRESETS:
        OnuPreset.objects.get_or_create(name=preset["name"], defaults={**preset, "vendor": olt.vendor})


def _make_outage(tenant: Tenant, *, at: datetime) -> None:
    """Register one more OLT, of which a port lost its power forty minutes ago; the demo serves it no longer.

    It is not polled: what was read of it then stays to be looked at.
    """
    name, onus, ports, dark = "Riverside", 64, 8, 2
    with (
        SimulatedOlt(
            "huawei", onus=onus, pon_ports=ports, seed=7, host="127.0.0.1", community=COMMUNITY
        ) as simulator,
        tenant_context(tenant.pk),
    ):
        if Olt.objects.filter(name=name).exists():
            return
        olt = Olt.objects.create(
            name=name,
            vendor="huawei",
            ip=simulator.host,
            snmp_port=simulator.port,
            community=COMMUNITY,
            site="Pumping station",
            notes="Not served by the demo: it keeps what was read of it during an outage.",
            is_polled=False,
        )
        _discover(tenant, olt, at=at - timedelta(minutes=45))
        network.invent(olt, until=at - timedelta(minutes=45))
        for port, onu_id in simulator.onus:
            if port == dark:
                simulator.set_onu_online(port, onu_id, online=False, down_cause=DYING_GASP)
        for minutes in (40, 35):
            _discover(tenant, olt, at=at - timedelta(minutes=minutes))
        Olt.objects.filter(pk=olt.pk).update(ip="127.0.0.6", snmp_port=SNMP_PORT)


def _discover(tenant: Tenant, olt: Olt, *, at: datetime) -> None:
    job = services.request_discovery(olt_id=olt.pk, user_id=None)
    jobs.perform(
        tenant_id=str(tenant.pk),
        job_id=str(job.pk),
        work=lambda run: services.discover_olt(run, at=at),
    )


def password_still_works() -> bool:
    """Tell whether somebody could log in with a public password of the demo."""
    emails = [f"{login}@{slug}.example" for slug, staff in STAFF.items() for login in staff]
    staff = User.objects.filter(email__in=emails, is_active=True)
    customers = User.objects.filter(email=support.PORTAL_EMAIL, is_active=True)
    return any(
        user.check_password(password)
        for users, password in ((staff, PASSWORD), (customers, support.PORTAL_PASSWORD))
        for user in users
    )
