"""The words: values that everything else speaks in. Standard library only, no disk, no clock."""
