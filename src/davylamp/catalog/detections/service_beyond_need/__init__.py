"""The detection `service_beyond_need`."""
