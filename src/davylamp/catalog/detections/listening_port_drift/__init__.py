"""The detection `listening_port_drift`."""
