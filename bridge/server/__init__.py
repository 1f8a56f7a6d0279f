"""Everything people and players talk to. Never imports a media library."""
