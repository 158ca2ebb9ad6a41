"""The shared language: what a run is, what it says and what can go wrong.

The standard library and pydantic only.
"""
