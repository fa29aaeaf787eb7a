"""Pages without a log-in: the address alone says what is meant, and is known to the payer alone."""
