"""Billing's work in the background."""
