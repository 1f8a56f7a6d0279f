"""The few ways in which threads and tasks of the bridge meet."""
