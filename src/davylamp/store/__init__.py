"""The case: columnar event files, findings, incidents, ledger; the only room with disk state."""
