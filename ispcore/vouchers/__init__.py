"""Vouchers of any kind, what they are good for apart: codes, batches, print sheets."""
