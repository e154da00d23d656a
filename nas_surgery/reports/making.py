"""The report of a directory, whatever it holds: the page, and its charts."""

from pathlib import Path

import attrs

from nas_surgery.reports.comparison import STUDY, read_study
from nas_surgery.reports.figures import Chart, charts_of, networks_of
from nas_surgery.reports.page import run_page, study_page
from nas_surgery.reports.record import naming, read_record
from nas_surgery.reports.study_page import study_charts


@attrs.frozen(eq=False)
class Report:
    """A page, and its charts to be written as files."""

    page: str
    charts: tuple[Chart, ...]


def report(directory: Path) -> Report:
    """Of a study where there is a study.json, else of a run; RunError if it holds neither or is damaged."""
    if (directory / STUDY).is_file():
        study = read_study(directory)
        with naming(directory / STUDY, "the account of a study"):
            return Report(study_page(study), study_charts(study))
    record = read_record(directory)
    with naming(directory, "the record of a run"):
        charts = charts_of(record, *networks_of(directory)) if record.lineage else ()
        return Report(run_page(record), charts)
