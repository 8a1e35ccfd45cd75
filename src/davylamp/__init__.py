"""Davylamp finds crypto mining in cloud fleets, tells its story and its price, and closes it reversibly."""

__version__ = "0.1.0"
