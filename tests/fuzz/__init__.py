"""Inputs that nobody would send, ten thousand of each kind, against a bridge that goes on.

Each kind has seeds in `seeds/`, taken from real connections by `python -m tests.fuzz.collect`. A
failure prints the seed of the random numbers and the index of the input: `Mutator(seed)` makes
the same inputs again. What was found once is kept in `found/` and tried first.
"""
