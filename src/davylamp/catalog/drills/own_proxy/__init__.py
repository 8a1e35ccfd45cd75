"""The drill `own_proxy`."""
