"""Findings become incidents: entity graph, fused probability, story, entry point, follow-on."""
