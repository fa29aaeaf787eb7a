"""What happens after what: event name -> names of the tasks that are told, each with the event's ids.

An event that nobody handles yet is listed with an empty tuple: webhooks and the event feed still see it.
"""

HANDLERS: dict[str, tuple[str, ...]] = {
    "aaa.account_changed": (),
    "aaa.action_finished": (),
    "aaa.policy_changed": ("aaa.tasks.follow_policy",),
    "aaa.profile_changed": ("aaa.tasks.follow_profile",),
    "aaa.quota_depleted": ("aaa.tasks.follow_quota",),
    "aaa.settings_changed": ("aaa.tasks.follow_settings",),
    "billing.credit_voucher_used": (),
    "billing.debt_cleared": (),
    "billing.dunning_stopped": (),
    "billing.payment_bounced": (),
    "billing.payment_received": (),
    "billing.payment_refunded": (),
    "billing.reminder_sent": (),
    "billing.suspended_for_debt": (),
    "hardware.discovery_finished": (),
    "hardware.onu_authorised": (),
    "hardware.onu_removed": (),
    "hardware.outage_confirmed": (),
    "hardware.outage_resolved": (),
    "ipam.address_assigned": ("aaa.tasks.follow_address",),
    "ipam.address_released": ("hardware.tasks.forget_management_address", "aaa.tasks.follow_address"),
    "ipam.pool_nearly_full": (),
    "ipam.pool_full": (),
    "ipam.pool_relieved": (),
    "subscribers.subscriber_created": (),
    "subscribers.subscriber_changed": (),
    "subscribers.subscriber_status_changed": ("aaa.tasks.follow_subscriber",),
    "subscribers.subscription_status_changed": ("ipam.tasks.settle_line", "aaa.tasks.follow_subscription"),
    "subscribers.subscription_changed": ("ipam.tasks.settle_line", "aaa.tasks.follow_subscription"),
}
