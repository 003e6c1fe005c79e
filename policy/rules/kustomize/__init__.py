"""Kustomize: what it accepts without a word and what then does not happen."""
