"""Units of one kind, one folder each."""
