"""What staff see and click of billing. Split by noun."""
