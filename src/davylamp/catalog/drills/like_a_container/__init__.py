"""The drill `like_a_container`."""
