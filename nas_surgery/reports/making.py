"""The report of a directory, whatever it holds: the page, and its charts."""

from pathlib import Path

import attrs

from nas_surgery.reports.comparison import STUDY, read_study
from nas_surgery.reports.figures import Chart, charts_of, networks_of
from nas_surgery.reports.page import run_page, study_page
from nas_surgery.reports.record import read_record
from nas_surgery.reports.studies import study_charts


@attrs.frozen(eq=False)
class Report:
    """A page, and its charts to be written as files."""

    page: str
    charts: tuple[Chart, ...]


def report(directory: Path) -> Report:
    """Of a study where there is a study.json, else of a run; RunError if it holds neither or is damaged."""
    if (directory / STUDY).is_file():
        study = read_study(directory)
        return Report(study_page(study), study_charts(study))
    record = read_record(directory)
    charts = charts_of(record, *networks_of(directory)) if record.lineage else ()
    return Report(run_page(record), charts)
