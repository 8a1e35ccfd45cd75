"""Cost: the price book, and usage times price as money with its basis."""
