"""What mkdocs is told beside mkdocs.yml: pages from elsewhere in the repository, settings, formulas, and a run.

Pages are written to be read in the repository too, so links are those between its files, and formulas
are ```math blocks, of which MathML is made here: the site needs no script for them and fetches nothing.
"""

import re
import sys
from contextlib import redirect_stdout
from io import StringIO
from os.path import normpath, relpath
from pathlib import Path
from posixpath import dirname
from tempfile import TemporaryDirectory
from typing import Any

from click.testing import CliRunner
from latex2mathml.converter import convert
from mkdocs.structure.files import File, Files

sys.path.insert(0, str(Path(__file__).parent))  # mkdocs loads this file alone
from settings import settings_table

REPOSITORY = Path(__file__).parents[2]
MIRRORED = {
    "README.md": "index.md",
    "ARCHITECTURE.md": "architecture.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "benchmarks/README.md": "benchmarks.md",
    "plugins/README.md": "plugins/index.md",
    "plugins/ray/README.md": "plugins/ray.md",
    "benchmarks/results/mnist_study/report.html": "gallery/mnist_study.html",
    "benchmarks/results/mnist_controls/report.html": "gallery/mnist_controls.html",
}
ORIGIN = {page: file for file, page in MIRRORED.items()}
DIGITS = "gallery/digits.html"
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
SETTINGS = re.compile(r"<!-- settings: (\S+) -->")
MATH = re.compile(r"^```math\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def on_files(files: Files, config: Any) -> Files:
    """Add the pages from elsewhere, and the report of a run that is made now."""
    for source, page in MIRRORED.items():
        text = (REPOSITORY / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=text))
    files.append(File.generated(config, DIGITS, content=digits_report()))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Links as the site has them, and formulas as MathML."""
    here = page.file.src_uri
    if here == "gallery.md":
        markdown += f"- A run on digits, made with this site. [Its page]({DIGITS}).\n"
    known = {file.src_uri for file in files}
    markdown = SETTINGS.sub(lambda found: settings_table(found[1]), markdown)
    markdown = MATH.sub(lambda found: convert(found[1].strip(), display="block"), markdown)
    return outside_code(
        markdown, lambda text: LINK.sub(lambda link: moved(link, here, known), text)
    )


def outside_code(text: str, change: Any) -> str:
    """The text with what is no code changed."""
    held = CODE.findall(text)
    pieces = [change(piece) for piece in CODE.sub("\0", text).split("\0")]
    return "".join(a + b for a, b in zip(pieces, [*held, ""], strict=True))


def moved(link: re.Match[str], here: str, known: set[str]) -> str:
    """A link between files of the repository as one between pages; its words, where there is no page."""
    mark, words, target = link.groups()
    path, _, anchor = target.partition("#")
    if not path or "://" in path:
        return link[0]
    file = normpath(f"{dirname(ORIGIN.get(here, f'docs/{here}'))}/{path}").lstrip("/")
    page = MIRRORED.get(file) or file.removeprefix("docs/")
    if page not in known:
        page = here if (REPOSITORY / file).exists() else target
        return words if page == here else link[0]
    return f"{mark}[{words}]({relpath(page, dirname(here) or '.')}{'#' if anchor else ''}{anchor})"


def digits_report() -> str:
    """The page on a short run on digits."""
    from nas_surgery.cli import main

    with TemporaryDirectory() as folder, redirect_stdout(StringIO()):
        run = f"{folder}/digits"
        given = ["--set", "search.max_epochs=12", "--baseline", "--report", "--quiet"]
        spec = str(REPOSITORY / "specs" / "digits.toml")
        done = CliRunner().invoke(main, ["run", spec, "--out", run, *given])
        if done.exit_code:
            raise RuntimeError(done.output)
        return Path(run, "report.html").read_text(encoding="utf-8")
