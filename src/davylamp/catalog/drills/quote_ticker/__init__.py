"""The drill `quote_ticker`."""
