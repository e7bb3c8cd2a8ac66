"""A case: a probe, images of its mate, a non-mate; and what may be said about how a network told them apart.

`explained` does it for images in memory, `Examiner` for files, `run_table` for a table of cases. The command line's
`gweebp explain` is these three.
"""

from gweebp.commands.casework.examiner import Case, Examiner
from gweebp.commands.casework.explanation import LIMITS, Explanation, explained
from gweebp.commands.casework.running import run_table
from gweebp.commands.casework.table import read_table

__all__ = ["LIMITS", "Case", "Examiner", "Explanation", "explained", "read_table", "run_table"]
