"""What customers, plans and lines do: one verb each. Split by noun; import from here."""
