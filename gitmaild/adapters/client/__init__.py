"""What every door calls: the vocabulary as data, and one place where requests become drops and answers get their shape.

`vocabulary` says what may be asked and how it is written, `commands` and `queries` are its rows, `whereabouts` finds home,
project and desk, `lobby` serves many agents at once, `mailbox` is the client for programs. Importing this imports none of
them.
"""
