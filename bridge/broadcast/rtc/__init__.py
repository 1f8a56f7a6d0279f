"""The only place that knows aiortc's inside."""
