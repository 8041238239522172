"""One outside thing each: a directory tree, a git repository, a watcher, a lock."""
