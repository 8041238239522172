"""gitmaild: a post office made of plain files, with git as the database."""

__version__ = "0.1.0"
