"""The source `auditd_log`."""
