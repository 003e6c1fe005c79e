"""Probes: Kubernetes is told when a container has started, is ready, and is alive."""
