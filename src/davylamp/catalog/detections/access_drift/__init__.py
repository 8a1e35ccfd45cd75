"""The detection `access_drift`."""
