"""One test for every row of the fault matrix that can be shown in a process: `test_f26_...` shows row 26.

Crashes, resources, time, odd files, front matter, the repository. What is shown elsewhere, or cannot happen any more, stands
in `NOT_SHOWN_HERE`; `test_matrix.py` sees to it that no row is forgotten.
"""

NOT_SHOWN_HERE = {
    7: "power loss after the answer needs a disk that loses writes: tests/soak/test_power_cut.py, on a loop device",
    8: "power loss before the answer: tests/soak/test_power_cut.py; the order of writes and syncs: tests/edges/test_repo.py",
    57: "the search index has tests of its own",
}
