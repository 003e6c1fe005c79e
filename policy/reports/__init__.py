"""How a result is told: one module a format, each a pure function from a ``Result`` to text."""
