"""What happens after what: event name -> names of the tasks that are told, each with the event's ids.

An event that nobody handles yet is listed with an empty tuple: webhooks and the event feed still see it.
"""

HANDLERS: dict[str, tuple[str, ...]] = {
    "hardware.discovery_finished": (),
    "hardware.onu_authorised": (),
    "hardware.onu_removed": (),
    "hardware.outage_confirmed": (),
    "hardware.outage_resolved": (),
    "ipam.address_assigned": (),
    "ipam.address_released": ("hardware.tasks.forget_management_address",),
    "ipam.pool_nearly_full": (),
    "ipam.pool_full": (),
    "ipam.pool_relieved": (),
    "subscribers.subscriber_created": (),
    "subscribers.subscriber_changed": (),
    "subscribers.subscriber_status_changed": (),
    "subscribers.subscription_status_changed": ("ipam.tasks.settle_line",),
    "subscribers.subscription_changed": ("ipam.tasks.settle_line",),
}
