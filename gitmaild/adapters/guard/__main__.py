"""How a hook starts the guard: `python -I -S <this file> pre-commit`. Kept short, since Python compiles it at each start."""

import os
import sys

# -I and -S left out where gitmaild is. At the end, so that nothing beside it stands in for the standard library.
sys.path.append(os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", "..")))

if __name__ == "__main__":
    try:
        from gitmaild.adapters.guard.program import run

        run()
    except Exception:  # noqa: BLE001 - status 1 would say "the answer is no"
        sys.excepthook(*sys.exc_info())
        sys.exit(70)
