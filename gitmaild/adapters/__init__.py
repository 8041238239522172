"""The doors: each turns its own kind of request into a drop or a query, and the answer back. No rules live here."""
