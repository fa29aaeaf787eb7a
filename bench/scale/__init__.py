"""What grows with a provider, and what must not."""
