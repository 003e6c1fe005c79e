"""Proves on every pull request what must be true of a Kustomize and Argo CD repository."""
