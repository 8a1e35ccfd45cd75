"""The detection `resolver_drift`."""
