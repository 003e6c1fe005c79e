"""Argo CD: what it would deploy, where, in which order, and who may do what."""
