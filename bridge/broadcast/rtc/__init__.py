"""The receive path: everything between a debater's browser and the programme's sources."""
