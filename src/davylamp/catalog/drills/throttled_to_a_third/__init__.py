"""The drill `throttled_to_a_third`."""
