"""What browser, server and broadcast say to each other. PROTOCOL.md tells it in prose."""
