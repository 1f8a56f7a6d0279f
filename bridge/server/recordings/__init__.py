"""Recordings on disk: folders and journals, finishing, what is made of them afterwards."""
