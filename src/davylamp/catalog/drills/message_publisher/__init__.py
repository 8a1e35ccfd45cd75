"""The drill `message_publisher`."""
