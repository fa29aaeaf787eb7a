"""Tickets: opening, moving, talking, merging, and what outages and the clock do to them."""

from support.services.tickets.changing import assign, change_ticket
from support.services.tickets.finding import search_tickets
from support.services.tickets.merging import merge
from support.services.tickets.moving import move
from support.services.tickets.opening import open_ticket, zone_state
from support.services.tickets.outages import end_outage, join_outage
from support.services.tickets.sweeps import close_resolved, escalate
from support.services.tickets.talking import Upload, comment, conversation_of

__all__ = [
    "Upload",
    "assign",
    "change_ticket",
    "close_resolved",
    "comment",
    "conversation_of",
    "end_outage",
    "escalate",
    "join_outage",
    "merge",
    "move",
    "open_ticket",
    "search_tickets",
    "zone_state",
]
