"""Every type of event: what it tells of, and the ids it carries.

Texts only, as in `wiring.py`: what an integrator is told of, for the catalogue of the API and for webhooks.
"""

from dataclasses import dataclass
from typing import Any

ANY = "*"


@dataclass(frozen=True)
class EventType:
    """`ids` are the names under `data`; `optional` those of them that may be empty texts."""

    description: str
    ids: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()


CATALOGUE: dict[str, EventType] = {
    "aaa.account_changed": EventType("An access account was made, changed or purged.", ("account_id",)),
    "aaa.action_finished": EventType("A CoA or a Disconnect ended, done or not.", ("action_id",)),
    "aaa.policy_changed": EventType("A bandwidth policy was made or changed.", ("policy_id",)),
    "aaa.profile_changed": EventType("A RADIUS service profile was changed.", ("service_profile_id",)),
    "aaa.quota_depleted": EventType("An account has used up its data.", ("account_id",)),
    "aaa.settings_changed": EventType("The settings of RADIUS access were changed."),
    "billing.credit_note_issued": EventType("A credit note was issued.", ("invoice_id", "subscriber_id")),
    "billing.credit_used_up": EventType(
        "A prepaid service ended for want of credit.", ("subscription_id", "subscriber_id")
    ),
    "billing.credit_voucher_used": EventType("A voucher became credit.", ("voucher_id", "subscriber_id")),
    "billing.debt_cleared": EventType("A customer owes nothing overdue any more.", ("subscriber_id",)),
    "billing.dunning_stopped": EventType("A night's suspensions stopped at their cap.", ("night_id",)),
    "billing.invoice_issued": EventType("An invoice was issued.", ("invoice_id", "subscriber_id")),
    "billing.invoice_sent": EventType("An invoice went out by e-mail.", ("invoice_id",)),
    "billing.invoice_voided": EventType("An invoice was made void.", ("invoice_id", "subscriber_id")),
    "billing.ledger_differs": EventType("A recount of the ledger found a difference.", ("ledger_check_id",)),
    "billing.payment_bounced": EventType("A payment was taken back by a bank.", ("payment_id", "subscriber_id")),
    "billing.payment_received": EventType("A payment was booked.", ("payment_id", "subscriber_id")),
    "billing.payment_refunded": EventType(
        "Money of a payment went back.", ("payment_id", "refund_id", "subscriber_id")
    ),
    "billing.reminder_sent": EventType("A customer was reminded of an invoice.", ("reminder_id", "invoice_id")),
    "billing.run_issued": EventType("A billing run has issued all its invoices.", ("run_id",)),
    "billing.run_planned": EventType("A billing run waits for approval.", ("run_id",)),
    "billing.suspended_for_debt": EventType("A customer's services were suspended for debt.", ("subscriber_id",)),
    "hardware.discovery_finished": EventType("An OLT was read for what is connected to it.", ("olt_id", "run_id")),
    "hardware.onu_authorised": EventType("An ONU was authorised on its OLT.", ("onu_id", "olt_id")),
    "hardware.onu_removed": EventType("An ONU was removed from its OLT.", ("onu_id", "olt_id")),
    "hardware.outage_confirmed": EventType("Several ONUs of a port, or an OLT, are down.", ("outage_id",)),
    "hardware.outage_resolved": EventType("An outage is over.", ("outage_id",)),
    "ipam.address_assigned": EventType(
        "An address was given to a service, or to something else.",
        ("address_id", "subscription_id"),
        optional=("subscription_id",),
    ),
    "ipam.address_released": EventType(
        "An address is nobody's any more.", ("address_id", "subscription_id"), optional=("subscription_id",)
    ),
    "ipam.pool_full": EventType("A pool has no address left.", ("pool_id",)),
    "ipam.pool_nearly_full": EventType("A pool has few addresses left.", ("pool_id",)),
    "ipam.pool_relieved": EventType("A pool has enough addresses again.", ("pool_id",)),
    "platform.webhook_disabled": EventType("A webhook was switched off because it failed.", ("webhook_id",)),
    "platform.webhook_tested": EventType("Somebody asked for a test of a webhook.", ("webhook_id",)),
    "subscribers.subscriber_changed": EventType("A customer's record was changed.", ("subscriber_id",)),
    "subscribers.subscriber_created": EventType("A customer was added.", ("subscriber_id",)),
    "subscribers.subscriber_status_changed": EventType("A customer's status changed.", ("subscriber_id",)),
    "subscribers.subscription_changed": EventType("A service's plan or address changed.", ("subscription_id",)),
    "subscribers.subscription_status_changed": EventType(
        "A service was made, activated, suspended, resumed or ended.", ("subscription_id",)
    ),
    "support.ticket_changed": EventType("A ticket was changed or merged into.", ("ticket_id",)),
    "support.ticket_closed": EventType("A ticket was closed.", ("ticket_id",)),
    "support.ticket_commented": EventType("Something was said in a ticket.", ("ticket_id", "comment_id")),
    "support.ticket_opened": EventType("A ticket was opened.", ("ticket_id",)),
    "support.ticket_resolved": EventType("A ticket was resolved.", ("ticket_id",)),
}  # fmt: skip


def is_known(pattern: str) -> bool:
    """Tell whether a filter names a type of event, or with `billing.*` a group of them."""
    return pattern in CATALOGUE or pattern in groups()


def groups() -> list[str]:
    """List the filters that stand for all types of one part: `billing.*`."""
    return sorted({f"{name.partition('.')[0]}.{ANY}" for name in CATALOGUE})


def names_of(pattern: str) -> list[str]:
    """List the types a filter stands for; none for one that is not known."""
    if pattern in CATALOGUE:
        return [pattern]
    start = pattern.removesuffix(ANY)
    return [name for name in CATALOGUE if pattern.endswith(f".{ANY}") and name.startswith(start)]


def schema_of(name: str) -> dict[str, Any]:
    """Return the JSON Schema of a message of this type, as webhooks post it."""
    known = CATALOGUE[name]
    ids = {
        each: {"type": "string"} if each in known.optional else {"type": "string", "format": "uuid"}
        for each in known.ids
    }
    return {
        "type": "object",
        "properties": {
            "type": {"const": name},
            "timestamp": {"type": "string", "format": "date-time"},
            "data": {"type": "object", "properties": ids, "required": list(known.ids)},
        },
        "required": ["type", "timestamp", "data"],
    }
