"""The sweep's rows as text: one line each while it runs, and the table of the book."""

from __future__ import annotations

from typing import Any

Row = dict[str, Any]
BEYOND = ("sum", "centring", "weights from the image", "gate or scale", "product of two")
COLUMNS = ("Network", "Layer", "Grid", "Cells look at", "Rules", "Mass kept", "Time")


def rules(row: Row) -> str:
    """The kinds of rule that a network needs besides those of a plain convolutional network, with the calls of each."""
    return ", ".join(f"{kind} {row['rules'][kind]}" for kind in BEYOND if row["rules"].get(kind))


def centres(row: Row) -> str:
    """Where the first cell looks, and the step to the next; the note where it is not known."""
    if row["note"]:
        return row["note"]
    (first, _), (step, _) = row["first"], row["step"]
    return f"{first:.4g} + {step:.4g} i"


def cells(row: Row) -> dict[str, str]:
    """A row of the table."""
    if row["refused"]:
        return {"Network": row["name"], "Layer": row.get("layer", ""), "Rules": f"refused: {row['refused']}"}
    kept = " / ".join(f"{row['kept'][m]:.2f}" for m in ("ebp", "eebp", "gweebp"))
    ratio = row.get("ratio")
    return {
        "Network": row["name"],
        "Layer": f"`{row['layer']}`" + (" (found)" if row["default"] else ""),
        "Grid": "{} × {}".format(*row["grid"]),
        "Cells look at": centres(row),
        "Rules": rules(row),
        "Mass kept": kept,
        "Time": f"{ratio['eebp']:.1f} / {ratio['gweebp']:.1f}" if ratio else "",
    }


def line(row: Row) -> str:
    """A row while the sweep runs."""
    return " | ".join(filter(None, cells(row).values()))


def page(result: Row) -> str:
    """The table in Markdown, under the sentence that says with what and when it was made."""
    rows, versions = result["rows"], result["versions"]
    refused = sum(bool(row["refused"]) for row in rows)
    made = [f"PyTorch {versions['torch']}", f"torchvision {versions['torchvision']}"]
    made += [f"timm {result['timm']}"] if result["timm"] else []
    text = (
        "<!-- written by `make architectures KEEP=1`: not by hand -->\n"
        f"{len(rows)} networks, {refused or 'none'} of them refused. {', '.join(made)}, "
        f"{result['finished'][:10]}, {result['processor']}, {result['threads']} thread(s).\n"
    )
    for group in dict.fromkeys(row["group"] for row in rows):
        text += (
            f"\n### {group[0].upper()}{group[1:]}\n\n| " + " | ".join(COLUMNS) + " |\n" + "|---" * len(COLUMNS) + "|\n"
        )
        for row in rows:
            if row["group"] == group:
                found = cells(row)
                text += "| " + " | ".join(found.get(c, "").replace("|", "\\|") for c in COLUMNS) + " |\n"
    return text
