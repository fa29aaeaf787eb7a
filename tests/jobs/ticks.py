"""What the fast clock of `beating` sends, for it and for the tests that count it."""

QUEUE = "ticks"
NAMES = [f"tick-{number}" for number in range(10)]
