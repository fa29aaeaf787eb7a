"""What the files of addresses and of drifts look like. That of addresses can be imported again."""

from ipam.api.addresses import AddressViewSet
from ipam.api.pools import PoolViewSet
from ipam.api.reconciliation import DriftViewSet
from ipam.api.space import SubnetViewSet, VrfViewSet
from ipam.models import AddressState, DriftKind, Repair, SeenIn
from ispcore.files.exports import Column, Export, register, register_views
from ispcore.files.tenant_export.contents import Rule, carry, kept_file

_states, _kinds, _seen_in = dict(AddressState.choices), dict(DriftKind.choices), dict(SeenIn.choices)
_repairs = dict(Repair.choices) | {"": "Open"}

register(
    Export(
        name="addresses",
        view=AddressViewSet,
        columns=(
            Column("Address", "address", width=24),
            Column("VRF", "vrf__name"),
            Column("Subnet", "subnet__network", width=24),
            Column("Pool", "pool__name"),
            Column("State", "state", show=_states.get, width=12),
            Column("Service", "subscription__number", width=12),
            Column("Customer", "subscription__subscriber__full_name", width=30),
            Column("Assigned to", "assigned_to", width=30),
            Column("Kept back for", "reserved_for", width=24),
            Column("Hostname", "hostname", width=30),
            Column("Note", "note", width=30),
            Column("Assigned since", "assigned_at"),
            Column("Rests until", "quarantined_until"),
            Column("Free since", "free_since"),
            Column("Updated", "updated_at"),
            Column("ID", "id", width=38),
        ),
    )
)
register(
    Export(
        name="drifts",
        view=DriftViewSet,
        columns=(
            Column("Address", "address", width=24),
            Column("VRF", "vrf__name"),
            Column("What is wrong", "kind", show=_kinds.get, width=34),
            Column("In the book", "record__state", show=lambda state: _states.get(state, ""), width=14),
            Column("Service in the book", "holder__number"),
            Column("Service seen", "seen_subscription__number"),
            Column("Seen as", "seen_as", width=30),
            Column("Seen at", "seen_at"),
            Column("Seen in", "reconciliation__seen_in", show=_seen_in.get, width=14),
            Column("Compared", "reconciliation__started_at"),
            Column("Settled", "repair", show=_repairs.get, width=20),
            Column("Settled at", "repaired_at"),
            Column("ID", "id", width=38),
        ),
    )
)
register_views(
    {
        "vrfs": VrfViewSet,
        "subnets": SubnetViewSet,
        "pools": PoolViewSet,
    }
)

# Of a whole provider's export.
carry("ipam.Reconciliation", Rule(values={"file_id": kept_file("file_id")}))
carry("ipam.BookImport", Rule(values={"file_id": kept_file("file_id")}))
