"""The detection `cpu_accounting_gap`."""
