"""Who may reach whom: the contract of topology.yaml, and what the NetworkPolicies of an overlay let through."""
