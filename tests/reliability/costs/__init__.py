"""Specs that are made to be expensive, and what checking them costs."""
