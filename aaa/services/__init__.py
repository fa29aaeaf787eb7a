"""What access does: one verb each. Split by noun."""
