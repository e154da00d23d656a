"""Does each wheel hold every file of its package that the repository does: modules, py.typed, templates, scripts?

wheel_contents.py FOLDER DISTRIBUTION…          checks the wheels in FOLDER of these folders of the repository
wheel_contents.py FOLDER --wheel DISTRIBUTION   prints the path of one
"""

import sys
import tomllib
from pathlib import Path
from zipfile import ZipFile


def main(folder: Path, *arguments: str) -> None:
    """Carry out the command line."""
    if arguments[0] == "--wheel":
        print(wheel_of(folder, Path(arguments[1])))
        return
    for place in map(Path, arguments):
        check(wheel_of(folder, place), place)


def wheel_of(folder: Path, place: Path) -> Path:
    """The wheel of the distribution in a folder of the repository."""
    project = tomllib.loads((place / "pyproject.toml").read_text())["project"]
    name = project["name"].replace("-", "_")
    return folder / f"{name}-{project['version']}-py3-none-any.whl"


def check(wheel: Path, place: Path) -> None:
    """Say what is missing, and end with exit code 1."""
    settings = tomllib.loads((place / "pyproject.toml").read_text())
    target = settings["tool"]["hatch"]["build"]["targets"]["wheel"]
    packages = target.get("only-include") or target["packages"]
    wanted = {name for package in packages for name in files(place, package)}
    with ZipFile(wheel) as held:
        missing = sorted(wanted - set(held.namelist()))
    if missing or not wanted:
        sys.exit(f"{wheel.name}: {missing or 'nothing'} is missing")
    data = sorted(name for name in wanted if not name.endswith(".py"))
    print(f"{wheel.name}: {len(wanted)} files, of them {', '.join(data) or 'no data'}")


def files(place: Path, package: str) -> list[str]:
    """A module, or every file of a package but for bytecode."""
    root = place / package
    found = root.rglob("*") if root.is_dir() else [root]
    kept = [file for file in found if file.is_file() and "__pycache__" not in file.parts]
    return [file.relative_to(place).as_posix() for file in kept]


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
