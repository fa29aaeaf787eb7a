"""What is overdue, who is reminded of it, who is cut for it, and who is brought back."""
