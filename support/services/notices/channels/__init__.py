"""One file for each way a message can go."""
