"""Metric series."""
