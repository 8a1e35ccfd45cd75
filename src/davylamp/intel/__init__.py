"""Indicator sets with provenance and expiry; label-boundary name matching. Nothing here resolves a name."""
