"""The lab: outside - firewall - inside in network namespaces, and the demonstration that runs in it."""
