"""One line for each finished job of the workflow, in place of Snakemake's paragraphs."""

from __future__ import annotations

import logging
import sys
import time

from snakemake.logging import logger
from snakemake_interface_logger_plugins.common import LogEvent


class Progress(logging.Handler):
    """Prints `[ 7/41]   12 s  lcnn9 learns synthetic-drawn` when a job has finished."""

    def __init__(self) -> None:
        """Nothing has started yet."""
        super().__init__()
        self.jobs: dict[int, tuple[str, float]] = {}
        self.last = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Follow the workflow's events; anything else is left to Snakemake's own handler."""
        match getattr(record, "event", None):
            case LogEvent.JOB_INFO:
                self.jobs[record.jobid] = (record.rule_msg or record.rule_name, time.monotonic())
            case LogEvent.JOB_FINISHED:
                self.last = record.job_id
            case LogEvent.PROGRESS if self.last in self.jobs:
                title, started = self.jobs[self.last]
                width = len(str(record.total))
                clear = "\r\033[K" if sys.stderr.isatty() else ""  # a job's progress bar may stand on this line
                seconds = f"{time.monotonic() - started:4.0f} s"
                print(f"{clear}[{record.done:{width}}/{record.total}] {seconds}  {title}", file=sys.stderr, flush=True)


def worth_showing(record: logging.LogRecord) -> bool:
    """Warnings, errors, and that there was nothing to do; the rest is in Snakemake's log file.

    The job that failed has said why itself, and its command follows: a list of its inputs would bury both.
    """
    if getattr(record, "event", None) == LogEvent.JOB_ERROR:
        return False
    return record.levelno >= logging.WARNING or str(record.msg).startswith("Nothing to be done")


def show() -> None:
    """Print progress from now on, once however often the workflow is read; a dry run says all that Snakemake says."""
    if {"-n", "--dry-run", "--dryrun"} & set(sys.argv):
        return
    if not any(isinstance(handler, Progress) for handler in logger.handlers):
        for handler in logger.handlers:
            if not isinstance(handler, logging.FileHandler):
                handler.addFilter(worth_showing)
        logger.addHandler(Progress())
