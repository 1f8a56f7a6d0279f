"""The Low-Latency HLS origin: window (model), playlist (text), views and uploads (HTTP)."""
