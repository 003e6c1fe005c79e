"""Security: a container can do what its task needs, and nothing to its node or its neighbours."""
