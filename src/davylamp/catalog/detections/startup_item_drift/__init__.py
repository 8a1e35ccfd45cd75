"""The detection `startup_item_drift`."""
