"""What rows call within the guarded process, and what they need there: imported when it is called, for it loads other libraries."""
