"""The drill `database_under_load`."""
