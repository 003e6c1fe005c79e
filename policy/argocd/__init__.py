"""Argo CD offline: what its Applications would deploy where, by which project, in which order, and who may do what."""
