"""Payments by gateways: accounts, checkouts, notices and refunds. No transaction is open while a gateway is asked."""
