"""The detection `outbound_guessing`."""
