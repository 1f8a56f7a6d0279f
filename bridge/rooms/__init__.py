"""Who debates what, and where in its life a debate is. Plain values and rules; no I/O."""
