"""Secrets: no credential is in Git, and each that is asked for is made by somebody."""
