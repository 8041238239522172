"""When a file may be taken, as a table."""

import pytest

from gitmaild.model.drop import How, Waiting
from gitmaild.model.settings import Settings
from gitmaild.rules.settle import READY, ready_in

LIMITS = Settings(quiet_seconds=0.03, still_seconds=0.5, open_seconds=30.0)
WHOLE, EMPTY, ODD = Waiting("a.md", 1, 20, 0), Waiting("a.md", 1, 0, 0), Waiting("a.md", 1, 20, 0, regular=False)


@pytest.mark.parametrize(
    ("waiting", "hinted", "closed", "quiet", "seconds"),
    [
        # A rename brings a whole file.
        (WHOLE, How.RENAMED, True, 0.0, READY),
        (WHOLE, How.RENAMED, False, 0.0, READY),
        (EMPTY, How.RENAMED, False, 0.0, READY),
        # What is no file is answered at once.
        (ODD, None, False, 0.0, READY),
        (ODD, How.CLOSED, False, 0.0, READY),
        # Closed by its writer: a short quiet.
        (WHOLE, How.CLOSED, True, 0.0, 0.03),
        (WHOLE, How.CLOSED, True, 0.01, 0.02),
        (WHOLE, How.CLOSED, True, 0.03, READY),
        # Seen by a look alone: half a second.
        (WHOLE, None, True, 0.0, 0.5),
        (WHOLE, How.LOOK, True, 0.2, 0.3),
        (WHOLE, How.LOOK, True, 0.5, READY),
        (WHOLE, None, True, 9.0, READY),
        # Front matter open, or nothing there: looked at again, and taken in the end, to be refused.
        (WHOLE, How.CLOSED, False, 0.0, 0.5),
        (WHOLE, None, False, 10.0, 0.5),
        (WHOLE, None, False, 29.75, 0.25),
        (WHOLE, None, False, 30.0, READY),
        (EMPTY, None, False, 0.0, 0.5),
        (EMPTY, How.CLOSED, True, 1.0, 0.5),
        (EMPTY, None, False, 31.0, READY),
    ],
)
def test_a_file_is_taken_when_its_writer_is_done(
    waiting: Waiting, hinted: How | None, closed: bool, quiet: float, seconds: float
) -> None:
    assert ready_in(waiting, hinted=hinted, closed=closed, quiet=quiet, settings=LIMITS) == pytest.approx(seconds)
