"""The decisions: pure functions from values to values. Same arguments, same answer."""
