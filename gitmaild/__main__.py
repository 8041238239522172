"""`python -m gitmaild` is the `gitmaild` command."""

from gitmaild.adapters.cli import main

if __name__ == "__main__":
    main()
