"""Each debater's own picture and sound, kept as they came."""
