"""Where encoded packets go: HLS upload, RTMP, disk."""
