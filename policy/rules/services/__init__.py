"""What is reached by a name."""
