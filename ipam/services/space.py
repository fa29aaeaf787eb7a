"""VRFs and the tree of subnets."""

from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import PROTECT, ForeignObjectRel

from ipam.models import Address, AddressState, Pool, Subnet, Vrf
from ipam.services import layout, ranges
from ispcore.errors import DomainError, NotRegistered
from subscribers.models import Zone

DEFAULT_VRF = "default"


class VrfUnknown(NotRegistered):
    message = "There is no such VRF."
    field = "vrf_id"


class SubnetUnknown(NotRegistered):
    message = "There is no such subnet."
    field = "subnet_id"


class ZoneUnknown(NotRegistered):
    message = "There is no such zone."
    field = "zone_id"


class VrfInUse(DomainError):
    code = "vrf_in_use"
    message = "{name} still holds {users}."


class SubnetInUse(DomainError):
    code = "subnet_in_use"
    message = "{network} is still used: {why}."


class SubnetOverlaps(DomainError):
    code = "subnet_overlaps"
    message = "{network} is already a subnet of this VRF: {other}."
    field = "network"


class SubnetCutsRange(DomainError):
    code = "subnet_cuts_range"
    message = "{network} would cut the range {range} of the pool {pool}: a range lies in one subnet."
    field = "network"


class GatewayOutside(DomainError):
    code = "gateway_outside"
    message = "{gateway} is no host address of {network}."
    status = 422
    field = "gateway"


class GatewayInUse(DomainError):
    code = "gateway_in_use"
    message = "{gateway} is {state}. Release it first."
    field = "gateway"


class FamilyFixed(DomainError):
    code = "wrong_family"
    message = "A subnet keeps its family: {network} cannot become {wanted}."
    status = 422
    field = "network"


def default_vrf() -> Vrf:
    """Return the tenant's VRF "default", made when there is none. Safe to repeat."""
    vrf: Vrf
    vrf, _ = Vrf.objects.get_or_create(name=DEFAULT_VRF)
    return vrf


def create_vrf(*, name: str, rd: str = "", description: str = "") -> Vrf:
    """Add a VRF."""
    return Vrf.objects.create(name=name, rd=rd, description=description)  # type: ignore[no-any-return]


@transaction.atomic
def change_vrf(*, vrf_id: UUID, **fields: Any) -> Vrf:
    """Change a VRF; what is not given stays."""
    vrf = lock_vrf(vrf_id)
    for name, value in fields.items():
        setattr(vrf, name, value)
    vrf.save()
    return vrf


@transaction.atomic
def remove_vrf(*, vrf_id: UUID) -> None:
    """Delete a VRF that holds nothing and never held an assignment.

    Raises VrfInUse.
    """
    vrf = lock_vrf(vrf_id)
    users = [
        str(relation.related_model._meta.verbose_name_plural)
        for relation in vrf._meta.get_fields(include_hidden=True)
        if isinstance(relation, ForeignObjectRel)
        and relation.on_delete is PROTECT
        and relation.related_model._base_manager.filter(**{relation.field.name: vrf}).exists()
    ]
    if users:
        raise VrfInUse(name=vrf.name, users=", ".join(dict.fromkeys(users)))
    vrf.delete()


def lock_vrf(vrf_id: UUID) -> Vrf:
    """Lock a VRF: whoever changes its subnets and ranges takes turns. Handing out addresses does not wait.

    Raises VrfUnknown.
    """
    vrf: Vrf | None = Vrf.objects.filter(pk=vrf_id).select_for_update(of=("self",), no_key=True).first()
    if vrf is None:
        raise VrfUnknown
    return vrf


def subnet_around(*, vrf_id: UUID, address: str, besides: UUID | None = None) -> Subnet | None:
    """Return the smallest subnet in which an address, prefix or network lies, or that it is."""
    found: Subnet | None = (
        Subnet.objects.filter(vrf_id=vrf_id, network__in=ranges.containers_of(address))
        .exclude(pk=besides)
        .order_by("-first_address", "last_address")
        .first()
    )
    return found


@transaction.atomic
def create_subnet(*, vrf_id: UUID, network: str, zone_id: UUID | None = None, **fields: Any) -> Subnet:
    """Add a subnet. Its place in the tree is found; those it contains, and their addresses, move into it.

    Raises VrfUnknown, ZoneUnknown, SubnetOverlaps, SubnetCutsRange, GatewayOutside, GatewayInUse.
    """
    lock_vrf(vrf_id)
    _check_zone(zone_id)
    subnet = Subnet(vrf_id=vrf_id, network=network, zone_id=zone_id, **fields)
    _check_gateway(subnet)
    _defer_overlaps()
    _place(subnet)
    subnet.save(force_insert=True)
    _take_in(subnet)
    _check_overlaps()
    layout.count_again(Pool.objects.filter(ranges__subnet=subnet))
    return subnet


@transaction.atomic
def change_subnet(*, subnet_id: UUID, **fields: Any) -> Subnet:
    """Change a subnet; what is not given stays. A new `network` must hold the subnets, ranges and addresses within.

    Raises SubnetUnknown, ZoneUnknown, FamilyFixed, SubnetOverlaps, SubnetCutsRange, SubnetInUse,
    GatewayOutside, GatewayInUse.
    """
    subnet = lock_subnet(subnet_id)
    before = (subnet.network, subnet.gateway)
    _check_zone(fields.get("zone_id"))
    for name, value in fields.items():
        setattr(subnet, name, value)
    _check_gateway(subnet)
    if (subnet.network, subnet.gateway) == before:
        subnet.save()
        return subnet
    if subnet.network != before[0]:
        _resize(subnet, old_network=before[0])
    else:
        subnet.save()
    layout.forget_never_handed_out(subnet)
    layout.walk_again(subnet)
    layout.count_again(Pool.objects.filter(ranges__subnet=subnet))
    return subnet


@transaction.atomic
def remove_subnet(*, subnet_id: UUID) -> None:
    """Delete a subnet without ranges of pools and addresses in use; subnets within move up.

    Raises SubnetUnknown, SubnetInUse.
    """
    subnet = lock_subnet(subnet_id)
    pools = (
        Pool.objects.filter(ranges__subnet=subnet).order_by("name").values_list("name", flat=True).distinct()
    )
    if names := list(pools[:5]):
        raise SubnetInUse(network=subnet.network, why=f"the pool {', '.join(names)} has a range in it")
    addresses = Address.objects.filter(subnet=subnet)
    if used := addresses.exclude(state=AddressState.FREE).order_by("address").first():
        raise SubnetInUse(network=subnet.network, why=f"{used.address} is {used.get_state_display().lower()}")
    layout.forget(addresses)
    _defer_overlaps()
    Subnet.objects.filter(parent=subnet).update(
        parent_id=subnet.parent_id, parent_network=subnet.parent_network
    )
    subnet.delete()
    _check_overlaps()


def lock_subnet(subnet_id: UUID) -> Subnet:
    """Lock a subnet after its VRF.

    Raises SubnetUnknown.
    """
    vrf_id = Subnet.objects.filter(pk=subnet_id).values_list("vrf_id", flat=True).first()
    if vrf_id is None:
        raise SubnetUnknown
    lock_vrf(vrf_id)
    subnet: Subnet | None = (
        Subnet.objects.filter(pk=subnet_id).select_for_update(of=("self",), no_key=True).first()
    )
    if subnet is None:
        raise SubnetUnknown
    return subnet


def _resize(subnet: Subnet, *, old_network: str) -> None:
    """Give a subnet another network: its place is found again, and what it no longer holds must be free."""
    family = ranges.family_of(old_network)
    if ranges.family_of(subnet.network) != family:
        raise FamilyFixed(network=old_network, wanted=subnet.network)
    for part in ranges.without([ranges.span_of(old_network)], [ranges.span_of(subnet.network)]):
        _refuse_used(subnet, part, family, old_network)
        layout.forget(layout.within(Address.objects.filter(subnet_id=subnet.pk), part, family))
    _defer_overlaps()
    _place(subnet)
    subnet.next_address = None
    subnet.save()
    _take_in(subnet)
    _check_overlaps()


def _refuse_used(subnet: Subnet, part: ranges.Span, family: int, network: str) -> None:
    """Raise SubnetInUse when something of the subnet lies in a part of it that is to go."""
    inside = layout.within(Address.objects.filter(subnet_id=subnet.pk), part, family)
    if used := inside.exclude(state=AddressState.FREE).order_by("address").first():
        raise SubnetInUse(network=network, why=f"{used.address} is {used.get_state_display().lower()}")
    if held := layout.ranges_across(subnet.vrf_id, part, family).filter(subnet_id=subnet.pk).first():
        raise SubnetInUse(network=network, why=f"the pool {held.pool} has the range {held}")
    if child := layout.subnets_across(subnet.vrf_id, part, family).filter(parent_id=subnet.pk).first():
        raise SubnetInUse(network=network, why=f"the subnet {child.network} lies in it")


def _place(subnet: Subnet) -> None:
    """Find the subnet's parent; two networks are apart or one holds the other, but a range may lie anywhere."""
    twin = Subnet.objects.filter(vrf_id=subnet.vrf_id, network=subnet.network).exclude(pk=subnet.pk).first()
    if twin:
        raise SubnetOverlaps(network=subnet.network, other=twin)
    parent = subnet_around(vrf_id=subnet.vrf_id, address=subnet.network, besides=subnet.pk)
    subnet.parent_id = parent.pk if parent else None
    subnet.parent_network = parent.network if parent else None
    span = ranges.span_of(subnet.network)
    for held in layout.ranges_across(subnet.vrf_id, span, ranges.family_of(subnet.network)):
        if ranges.number_of(held.first) < span.first or ranges.number_of(held.last) > span.last:
            raise SubnetCutsRange(network=subnet.network, range=held, pool=held.pool)


def _take_in(subnet: Subnet) -> None:
    """Move what its parent, or nothing, held of its network into the subnet."""
    inside = Subnet.objects.filter(
        vrf_id=subnet.vrf_id,
        parent_id=subnet.parent_id,
        first_address__gte=subnet.first_address,
        last_address__lte=subnet.last_address,
    )
    inside.exclude(pk=subnet.pk).update(parent_id=subnet.pk, parent_network=subnet.network)
    if subnet.parent_id:
        span, family = ranges.span_of(subnet.network), ranges.family_of(subnet.network)
        held = layout.ranges_across(subnet.vrf_id, span, family).filter(subnet_id=subnet.parent_id)
        held.update(subnet_id=subnet.pk, subnet_network=subnet.network)
        layout.within(Address.objects.filter(subnet_id=subnet.parent_id), span, family).update(
            subnet_id=subnet.pk
        )
    layout.forget_never_handed_out(subnet)


def _check_zone(zone_id: UUID | None) -> None:
    if zone_id and not Zone.objects.filter(pk=zone_id).exists():
        raise ZoneUnknown


def _check_gateway(subnet: Subnet) -> None:
    """Refuse a gateway that is no host of the subnet, or that somebody holds."""
    if not subnet.gateway:
        return
    inside = ranges.span_of(subnet.network)
    own = ranges.never_handed_out(subnet.network, None).values()
    gateway = ranges.span_of(subnet.gateway)
    is_host = ranges.family_of(subnet.gateway) == ranges.family_of(subnet.network) and (
        inside.first <= gateway.first <= inside.last and gateway.first == gateway.last
    )
    if not is_host or (gateway in own and ranges.family_of(subnet.network) == 4):
        raise GatewayOutside(gateway=subnet.gateway, network=subnet.network)
    holder = (
        Address.objects.filter(vrf_id=subnet.vrf_id, address__in=ranges.containers_of(subnet.gateway))
        .filter(state__in=[AddressState.ASSIGNED, AddressState.RESERVED])
        .first()
    )
    if holder:
        raise GatewayInUse(gateway=subnet.gateway, state=holder.get_state_display().lower())


def _defer_overlaps() -> None:
    """Let subnets overlap until they stand in their places."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS subnet_overlaps DEFERRED")


def _check_overlaps() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS subnet_overlaps IMMEDIATE")
