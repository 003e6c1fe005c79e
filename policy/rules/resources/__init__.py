"""What containers ask of a node and of the namespace's budget."""
