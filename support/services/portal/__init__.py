"""What customers see of themselves, and how they log in."""
