"""What integrators come for, step by step; each step is an operation of the schema."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    operation: str
    why: str


@dataclass(frozen=True)
class Workflow:
    slug: str
    title: str
    purpose: str
    steps: tuple[Step, ...]


WORKFLOWS = (
    Workflow(
        "onboard",
        "Onboard a customer",
        "From a signed contract to a line that dials in.",
        (
            Step("subscribers_create", "Register the customer. Send your own id as `external_id`: a repeat is then refused and not doubled."),
            Step("premises_create", "Register the address the line ends at."),
            Step("internet_plans_list", "Choose what is sold there."),
            Step("services_create", "Join customer, plan and premise. The answer's `Location` is the service."),
            Step("hardware_onu_authorize", "Bind the ONU that waits at the port."),
            Step("services_activate_create", "Activate: RADIUS and billing follow by themselves."),
            Step("aaa_sessions_list", "See the session once the router has dialled in."),
        ),
    ),
    Workflow(
        "bill",
        "Bill and collect",
        "A cycle from plan to money, exactly once.",
        (
            Step("billing_invoices_generate", "Plan a run: nothing is issued yet."),
            Step("billing_runs_retrieve", "Look at its totals and how they differ from the last cycle."),
            Step("billing_runs_approve_create", "Approve the very plan you looked at, by its hash; the invoices are issued."),
            Step("billing_invoices_list", "Read what was issued, what is due and what is overdue."),
            Step("billing_payments_create", "Record a payment; the oldest invoice is paid first unless you say otherwise. The same `reference` never counts twice."),
            Step("billing_reconciliations_create", "Or hand in the bank's statement and let it be matched."),
            Step("billing_account_balance", "Ask what a customer owes."),
        ),
    ),
    Workflow(
        "cut-and-reconnect",
        "Cut and reconnect",
        "Suspend a line and bring it back; the live session follows.",
        (
            Step("services_suspend_create", "Suspend with a reason, and with an end if there is one."),
            Step("aaa_sessions_list", "See what is still online."),
            Step("aaa_disconnect", "End a session by hand where that is needed."),
            Step("services_resume_create", "Lift that reason. The line runs when no other reason holds it."),
        ),
    ),
    Workflow(
        "line-down",
        "Find why a line is down",
        "From the customer's words to the first cause.",
        (
            Step("subscribers_search", "Find the customer by what they say."),
            Step("support_diagnosis", "Ask for the verdict: contract, money, RADIUS, session, address, ONU, port, outage."),
            Step("services_ping", "Ping the line and learn whether it is stable."),
            Step("aaa_auth_attempts_list", "Read why a log-in was refused."),
            Step("support_tickets_create", "Open a ticket when somebody has to go there."),
        ),
    ),
    Workflow(
        "move-in",
        "Move customers in",
        "From another system, or in step with one: many rows at once, and again without doubles.",
        (
            Step("custom_fields_create", "Add the fields that only you keep."),
            Step("internet_plans_create", "Add the plans that are sold."),
            Step("imports_create", "Hand in customers and services as CSV or XLSX."),
            Step("imports_check_create", "Have each row checked: nothing is written yet."),
            Step("imports_errors_list", "Read which rows are wrong, and why."),
            Step("imports_run_create", "Take the good rows in. It may be stopped and repeated."),
            Step("subscribers_bulk", "Or write up to 1,000 in one call, all or nothing or each by itself."),
            Step("exports_create", "Have any list as a file, to compare."),
        ),
    ),
    Workflow(
        "webhooks",
        "Receive webhooks",
        "Learn of changes without asking for them.",
        (
            Step("event_types_list", "Choose the events you want."),
            Step("webhooks_create", "Name your address. The secret is shown this once: check each signature with it."),
            Step("webhooks_test_create", "Have a test sent."),
            Step("webhook_deliveries_list", "See what was sent, and what your server answered."),
            Step("webhooks_replay_create", "Have events sent again after an outage of yours. Events may come twice: drop an id you know."),
            Step("events_list", "Or read the feed, if you would rather ask."),
        ),
    ),
)  # fmt: skip

# What most integrations call first.
FIRST_CALLS = (
    ("subscribers_list", "List customers, filtered and in pages."),
    ("subscribers_create", "Register a customer under your own id."),
    ("internet_plans_list", "See what is sold."),
    ("billing_payments_create", "Book a payment; the same reference never counts twice."),
    ("support_tickets_create", "Open a ticket."),
    ("events_list", "Read what happened, from where you left off."),
)


def workflows_with(operation: str) -> list[Workflow]:
    """Return the workflows in which an operation is a step."""
    return [flow for flow in WORKFLOWS if any(step.operation == operation for step in flow.steps)]
