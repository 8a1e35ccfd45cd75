"""The source `host_live`."""
