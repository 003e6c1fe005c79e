"""Rules about what keeps a service answering while pods, nodes and versions change."""
