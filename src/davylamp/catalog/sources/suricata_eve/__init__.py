"""EVE JSON of the Suricata intrusion detection system."""
