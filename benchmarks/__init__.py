"""Benchmarks: what a seed of N documents costs, between the database's own limit and the usual ways.

`python -m benchmarks --help` says how to run a part of them.
"""
