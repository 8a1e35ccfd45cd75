"""The detection `launch_from_unfamiliar_network`."""
