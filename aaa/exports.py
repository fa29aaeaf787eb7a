"""What the files of accounts and NASes look like. A password or a shared secret is in none of them."""

from aaa.api import (
    AccountViewSet,
    NasViewSet,
    PolicyViewSet,
    ServiceProfileViewSet,
    SessionActionViewSet,
    SessionViewSet,
    TopUpViewSet,
    VirtualServerViewSet,
    VoucherBatchViewSet,
    VoucherViewSet,
)
from aaa.models import ActionCause, ActionKind, ActionOutcome, ActionState, NasType, VoucherState
from ispcore.files.exports import Column, Export, register, register_views
from ispcore.files.tenant_export.contents import Rule, carry, kept_file, leave_out

CREATED = Column("Created", "created_at")
UPDATED = Column("Updated", "updated_at")
ID = Column("ID", "id", width=38)

register(
    Export(
        name="accounts",
        view=AccountViewSet,
        columns=(
            Column("User name", "username", width=28),
            Column("Name", "name", width=24),
            Column("Service", "subscription__number", width=12),
            Column("RADIUS service", "service_profile__name"),
            Column("Policy", "policy__name", width=24),
            Column("Virtual server", "virtual__name"),
            Column("Enabled", "enabled", width=10),
            Column("Barred because of", "blocked_reason"),
            Column("Expires", "expires_at"),
            Column("Time zone", "timezone", width=22),
            Column("Device", "calling_station_id"),
            Column("Static IPv4", "static_ip4"),
            Column("Static IPv6 prefix", "framed_ipv6_prefix", width=24),
            Column("Delegated prefix", "delegated_prefix", width=24),
            Column("Data cap, bytes", "cap_bytes"),
            Column("No data cap", "uncapped_data", width=12),
            Column("Deleted after, hours unused", "inactive_purge_hours", width=26),
            Column("Last seen", "states__last_seen_at"),
            CREATED,
            UPDATED,
            ID,
        ),
    )
)
register(
    Export(
        name="nas",
        view=NasViewSet,
        columns=(
            Column("Name", "name", width=24),
            Column("Address", "address", width=24),
            Column("Type", "nas_type", show=dict(NasType.choices).get, width=20),
            Column("CoA address", "coa_address", width=24),
            Column("CoA port", "coa_port", width=10),
            Column("Zone", "zone__name"),
            Column("Site", "site"),
            Column("Active", "is_active", width=10),
            Column("Last log-in seen", "last_auth_at"),
            Column("Last accounting seen", "last_acct_at", width=22),
            Column("Notes", "notes", width=30),
            CREATED,
            UPDATED,
            ID,
        ),
    )
)
register(
    Export(
        name="session-actions",
        view=SessionActionViewSet,
        columns=(
            Column("What", "kind", show=dict(ActionKind.choices).get, width=24),
            Column("Why", "cause", show=dict(ActionCause.choices).get),
            Column("Account", "account__username", width=28),
            Column("NAS", "nas__name", width=24),
            Column("State", "state", show=dict(ActionState.choices).get, width=12),
            Column("Outcome", "outcome", show=dict(ActionOutcome.choices).get, width=24),
            Column("Error-Cause", "error_cause", width=12),
            Column("Message", "message", width=40),
            Column("Attempts", "attempts", width=10),
            Column("Asked", "created_at"),
            Column("Finished", "finished_at"),
            ID,
        ),
    )
)
register(
    Export(
        name="vouchers",
        view=VoucherViewSet,
        columns=(
            Column("Batch", "batch__name", width=24),
            Column("Code begins", "shown", width=14),
            Column("State", "state", show=dict(VoucherState.choices).get, width=12),
            Column("First used", "used_at"),
            Column("Ends", "ends_at"),
            CREATED,
            ID,
        ),
    )
)
register_views(
    {
        "sessions": SessionViewSet,
        "top-ups": TopUpViewSet,
        "policies": PolicyViewSet,
        "service-profiles": ServiceProfileViewSet,
        "virtual-servers": VirtualServerViewSet,
        "voucher-batches": VoucherBatchViewSet,
    }
)

# Of a whole provider's export.
leave_out(
    "aaa.NasRealm", "An agreement between two providers of one installation. Make it anew where both are."
)
leave_out("aaa.NasRealmHistory", "What became of those agreements names the other provider.")
carry("aaa.VoucherBatch", Rule(values={"sheet_id": kept_file("sheet_id")}))
carry(
    "aaa.SessionAction",
    Rule(
        values={
            "state": "CASE WHEN t.finished_at IS NULL THEN 'failed' ELSE t.state END",
            "finished_at": "COALESCE(t.finished_at, t.updated_at)",
            "claim_token": "NULL::uuid",
        }
    ),
)
for _label, _table, _column in (
    ("aaa.PastSession", "aaa_pastsession", "stopped_at"),
    ("aaa.HourlyUsage", "aaa_hourlyusage", "hour"),
    ("aaa.AuthAttempt", "aaa_authattempt", "at"),
):
    carry(_label, Rule(make_partition=f"aaa_make_partition('{_table}', %s)", partition_by=_column))
