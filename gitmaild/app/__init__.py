"""The loop that moves mail: claim, plan, commit, mirror. Knows ports, never edges."""
