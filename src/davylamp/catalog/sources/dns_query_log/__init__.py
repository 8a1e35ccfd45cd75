"""Questions in the query logs of dnsmasq, unbound and BIND."""
