"""Our own HTTP/1.1 for `/live/`: connections, crowds of held requests, limits."""
