"""Configuration: what the objects say can be read, and refers to what exists."""
