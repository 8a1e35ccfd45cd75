"""CloudTrail events."""
