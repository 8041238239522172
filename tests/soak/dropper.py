"""One busy agent as a process: `python -m tests.soak.dropper SEED SECONDS PROJECT AGENT ROOT MANIFEST RECIPIENTS`.

Writes a line to the manifest before it drops: `how sha256 name`. How: `rename` (a careful agent), `place` (written in place),
`slow` (in place, with a pause before the front matter closes), `half` (never closed), `nobody` (no such recipient).
"""

import os
import random
import sys
import time
from hashlib import sha256
from pathlib import Path

HOW = ["rename"] * 12 + ["place"] * 4 + ["slow"] * 2 + ["half", "nobody"]


def main(seed: str, seconds: str, project: str, agent: str, root: str, manifest: str, recipients: str) -> None:
    dice = random.Random(seed)
    outbox = Path(root) / "agents" / agent / "outbox"
    others = recipients.split(",")
    until = time.monotonic() + float(seconds)
    number = 0
    with open(manifest, "a", buffering=1) as book:
        while time.monotonic() < until:
            how = dice.choice(HOW)
            size = int(10 ** dice.uniform(1, 3.5 if dice.random() < 0.95 else 5.3))
            body = f"{project} {agent} {number}\n" + "".join(dice.choices("abcdefgh ijklmnop\n", k=size)) + "\n"
            to = "NobodyHere" if how == "nobody" else ", ".join(dice.sample(others, dice.randint(1, 3)))
            name = f"n{number}.md"
            book.write(f"{how} {sha256(body.encode()).hexdigest()} {name}\n")
            head = f"---\nto: {to}\nsubject: [{project}-{number % 40}] number {number}\nthread_id: {project}-{number % 40}\n"
            drop(outbox, name, how, head, body, dice)
            number += 1
            time.sleep(dice.uniform(0.01, 0.2))


def drop(outbox: Path, name: str, how: str, head: str, body: str, dice: random.Random) -> None:
    if how in ("rename", "nobody"):
        draft = outbox / f".{name}"
        draft.write_text(f"{head}---\n{body}")
        draft.rename(outbox / name)
    elif how == "half":
        (outbox / name).write_text(head)
    else:
        fd = os.open(outbox / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        cut = dice.randrange(len(head)) if how == "slow" else 0
        if cut:
            os.write(fd, head[:cut].encode())
            time.sleep(dice.uniform(0.05, 0.5))
        os.write(fd, f"{head[cut:]}---\n{body}".encode())
        os.close(fd)


if __name__ == "__main__":
    main(*sys.argv[1:])
