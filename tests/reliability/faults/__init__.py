"""Faults that are planted into valid specs."""
