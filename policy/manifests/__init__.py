"""Kubernetes manifests as typed objects: read once at the edge, frozen afterwards."""
