"""The source `host_baseline`."""
