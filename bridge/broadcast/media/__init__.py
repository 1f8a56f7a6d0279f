"""The programme: sources, scene, compositor, mixer, encoder. No network, no rooms."""
