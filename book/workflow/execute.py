"""Execute one chapter: a py:percent notebook with its parameters in, a normalised .ipynb out.

    python book/workflow/execute.py notebooks/hiding_game.py --out hiding_game.ipynb --parameter steps=11 seed=3

jupytext reads the source, papermill runs it, and what depends on the run but not on the result (times, object
addresses, execution metadata, how a stream was cut in pieces) is taken out: two runs give the same bytes. The output
appears whole or not at all. A chapter needs none of this: it also runs in Jupyter, where its defaults hold.
"""

from __future__ import annotations

import argparse
import difflib
import hashlib
import os
import re
import resource
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import jupytext
import nbformat
import papermill
from nbformat import NotebookNode
from papermill.exceptions import PapermillExecutionError
from parameters import ChapterError, defaults, pairs, parameters

from gweebp.commands.arguments import Number
from gweebp.support.files import atomic, write_json
from gweebp.support.ranges import THREADS as THREADS_PER_JOB
from gweebp.support.record import environment

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
LANGUAGE = {"file_extension": ".py", "name": "python", "pygments_lexer": "ipython3"}
# Progress bars would fill pages and break nbval; a fixed date and hash seed make SVG figures reproducible.
QUIET = {
    "TQDM_DISABLE": "1",
    "SOURCE_DATE_EPOCH": "0",
    "PYTHONHASHSEED": "0",
    "PYTHONWARNINGS": "ignore:IProgress not found",  # tqdm asks for ipywidgets, to draw bars that nobody sees
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    "JUPYTER_PLATFORM_DIRS": "1",
    "JUPYTER_PREFER_ENV_PATH": "1",
    "MATPLOTLIBRC": str(Path(__file__).with_name("matplotlibrc")),
}
HIDDEN = {"parameters", "injected-parameters"}  # the page ends with a table of them: see pages.py
FOLDS = ("hide-input", "hide-cell")
ANSWER = "# Answer: "  # how the folded cell below an exercise starts
CLIENT = {"extra_arguments": ["--IPKernelApp.log_level=50"]}  # its remarks on transport are not the reader's concern


def normalise(notebook: NotebookNode) -> NotebookNode:
    """The notebook without what differs between two runs that computed the same."""
    notebook.metadata = NotebookNode(kernelspec=NotebookNode(KERNEL), language_info=NotebookNode(LANGUAGE))
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for place, cell in enumerate(notebook.cells):
        cell.id = hashlib.sha256(f"{place}:{cell.cell_type}".encode()).hexdigest()[:8]
        for key in ("papermill", "execution", "lines_to_next_cell"):
            cell.metadata.pop(key, None)
        tags = cell.metadata.get("tags", [])
        if HIDDEN & set(tags):
            cell.metadata.tags = list(dict.fromkeys([*tags, "remove-cell"]))
        elif cell.cell_type == "code" and set(FOLDS) & set(tags):
            what = fold(cell.source)
            prompts = NotebookNode(code_prompt_show=f"Show {what}", code_prompt_hide=f"Hide {what}")
            cell.metadata.mystnb = NotebookNode(prompts | cell.metadata.get("mystnb", {}))
        if cell.cell_type == "code":
            cell.outputs = _outputs(cell.outputs)
    return notebook


def fold(source: str) -> str:
    """What a folded cell holds, in words for its heading.

    >>> fold("import numpy as np"), fold('glue("fig-a", figures.forest(x))'), fold("Markdown(said)"), fold("frame(x)")
    ('the imports', 'the code of this figure', 'the code of this text', 'the code of this table')
    >>> fold("# Answer: none of them.")
    'the answer'
    """
    if source.startswith(ANSWER):
        return "the answer"
    lines = [line for line in source.splitlines() if line and not line.startswith("#")]
    if lines and lines[0].startswith(("import ", "from ")):
        return "the imports"
    if re.search(r"\bfigures\.|\bneurons\(|\bby_depth\(|^show_", source, re.MULTILINE):
        return "the code of this figure"
    if re.search(r"^Markdown\(", source, re.MULTILINE):
        return "the code of this text"
    return (
        "the code of these numbers" if re.search(r"^glue\(", lines[-1] if lines else "") else "the code of this table"
    )


def _outputs(outputs: Sequence[NotebookNode]) -> list[NotebookNode]:
    kept: list[NotebookNode] = []
    for output in outputs:
        output.get("metadata", {}).pop("execution", None)
        if output.output_type == "stream":
            if output.name == "stderr":  # warnings belong in the terminal: nbval fails on them, readers can't use them
                print(output.text, file=sys.stderr, end="")
                continue
            if kept and kept[-1].output_type == "stream":
                kept[-1].text += output.text
                continue
        for kind, text in output.get("data", {}).items():
            if kind.startswith("text/") and isinstance(text, str):
                output.data[kind] = re.sub(r" at 0x[0-9a-f]{6,}", "", text)
        kept.append(output)
    return kept


def execute(source: Path, out: Path, given: Mapping[str, str], offered: Mapping[str, str], threads: int = 1) -> None:
    """Run the chapter `source`; write `out`, and its run record beside it as .json, each whole or not at all.

    `given` parameters must be the chapter's own; `offered` ones are passed where the chapter has them.
    """
    notebook = jupytext.read(_existing(source))
    known = defaults(notebook)
    values = parameters(notebook, {k: v for k, v in offered.items() if k in known} | dict(given))
    os.environ.update(QUIET, **dict.fromkeys(THREADS, str(threads)))
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["IPYTHONDIR"] = folder  # no start-up file of the user's changes a chapter
        before, after = Path(folder, "before.ipynb"), Path(folder, "after.ipynb")
        notebook.metadata.kernelspec = KERNEL
        nbformat.write(notebook, before)
        try:
            papermill.execute_notebook(before, after, values, progress_bar=sys.stderr.isatty(), **CLIENT)
        except PapermillExecutionError as error:
            raise ChapterError(f"cell {error.cell_index} failed\n{_plain(error)}") from None
        done = normalise(nbformat.read(after, as_version=4))
    nbformat.validate(done)
    with atomic(out) as temporary:
        temporary.write_text(nbformat.writes(done) + "\n", encoding="utf-8")
    record = environment(started=started) | {"threads": threads, "peak_memory_mib": _peak_memory_mib()}
    write_json(out.with_suffix(".json"), record | {"chapter": source.stem, "parameters": values})


def _existing(source: Path) -> Path:
    if not source.is_file():
        known = sorted(path.stem for path in source.parent.glob("*.py"))
        near = difflib.get_close_matches(source.stem, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        raise ChapterError(f"no chapter {source.stem!r}{hint} There are: {', '.join(known) or 'none'}")
    return source


def _peak_memory_mib() -> float:
    """Of the kernel: the largest child of this process."""
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10), 1)  # bytes on macOS, KiB on Linux


def _plain(error: PapermillExecutionError) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error.traceback or [f"{error.ename}: {error.evalue}"]))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 1 and a message on standard error when the chapter can't be executed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--parameter", nargs="*", default=[], metavar="NAME=VALUE", help="the chapter must have it")
    parser.add_argument("--offer", nargs="*", default=[], metavar="NAME=VALUE", help="passed if the chapter has it")
    parser.add_argument("--threads", type=Number(THREADS_PER_JOB), default=1)
    options = parser.parse_args(arguments)
    try:
        execute(options.source, options.out, pairs(options.parameter), pairs(options.offer), options.threads)
    except ChapterError as error:
        print(f"error: {options.source}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
