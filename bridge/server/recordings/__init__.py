"""Finished and growing recordings on disk: folders, journals, and the finisher."""
