"""The drill `executor_with_heartbeat`."""
