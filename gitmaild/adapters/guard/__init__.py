"""The guard: the program that git hooks run at every commit. It opens no mailbox and imports almost nothing."""
