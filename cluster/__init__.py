"""A real cluster on this machine: started and taken down by one command, used by the end-to-end tests."""
