"""Presets: those that are shipped, those in files, and what one would do."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from gitmaild.edges.home import Home
from gitmaild.model.errors import refuse
from gitmaild.wiring.places import check_home, settings, wall_clock

if TYPE_CHECKING:
    from gitmaild.model.preset import Preset, Step


def shipped() -> dict[str, Path]:
    """The presets that come with gitmaild, by name."""
    here = Path(__file__).parent.parent
    # In a checkout they lie among the fixtures, in a wheel they are within the package.
    place = here / "presets" if (here / "presets").is_dir() else here.parent / "fixtures" / "presets"
    return {path.stem: path for path in sorted(place.glob("*.yaml"))}


def preset_text(named: str, here: Path) -> tuple[bytes, str]:
    """(bytes, file name) of the preset called `named`, or of the file. Raises `Refused` where there is neither, OSError."""
    known = shipped()
    path = known.get(named) or here / Path(named).expanduser()
    if not path.is_file():
        from gitmaild.rules.fields import did_you_mean  # noqa: PLC0415

        reason = f"no preset and no file {named[:200]!r}{did_you_mean(named, known)}"
        raise refuse("unknown-preset", reason, f"presets: {', '.join(known)}; or name a file")
    from gitmaild.rules.preset import LIMIT  # noqa: PLC0415 - needs what parses drops

    with path.open("rb") as file:
        return file.read(LIMIT + 1), path.name


def preset(named: str, here: Path, home: Home, environment: Mapping[str, str]) -> "Preset":
    """The preset called `named`, or in the file. Raises `Refused` for one that is wrong, with its line."""
    from gitmaild.rules import preset as rules  # noqa: PLC0415

    data, file = preset_text(named, here)
    return rules.read(data, file, settings(home, environment))


def rehearse(home: Home, environment: Mapping[str, str], project: str, agent: str, preset: "Preset") -> "list[Step]":
    """What `preset` would do to a project if `agent` applied it. Nothing is changed. Raises `Refused`, `NoHome`."""
    from gitmaild.app import presets  # noqa: PLC0415
    from gitmaild.edges.repo import Repo  # noqa: PLC0415
    from gitmaild.model.commands import Envelope  # noqa: PLC0415

    check_home(home)
    envelope = Envelope("", project, agent)
    return presets.rehearse(Repo(home.mailbox), envelope, preset, wall_clock(), settings(home, environment))
