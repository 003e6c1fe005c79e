"""Environments compared: what is proven before production is what production gets."""
