"""How a repository takes up the checks: settings from what it holds, and a baseline of what is wrong today."""
