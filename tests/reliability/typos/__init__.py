"""One realistic slip in one place of a valid spec, and what the compiler makes of it."""
