"""Crash safety: kills, failing calls, power cuts, damaged files, interruptions."""
