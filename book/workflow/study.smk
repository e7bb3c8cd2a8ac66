"""The pieces of the study as a graph: faces and test people -> trainings -> trials -> outcomes of one group of methods.

Run by book/workflow/study.py, which asks for outcomes that data/study does not hold. Everything between lies below
_build/study, some GB, and can be made again.
"""

import json
import shlex
import sys

sys.path.insert(0, workflow.basedir)

import progress

PLAN, BUILD = config["plan"], config["build"]
OUT = "data/study/{dataset}/{network}-{training}"
PEOPLE = f"{BUILD}/people/{{dataset}}/faces.safetensors"
FACES = f"{BUILD}/data/{{dataset}}/faces.safetensors"
WEIGHTS = f"{BUILD}/networks/{{dataset}}/{{network}}-{{training}}/weights.safetensors"
TRIALS = f"{BUILD}/trials/{{dataset}}/{{network}}-{{training}}.safetensors"
BUDGET = "data/study/budgets/{network}.json"
STAGE = f"{shlex.quote(sys.executable)} -m gweebp"
RUN = {"threads": PLAN["threads"], "device": config["device"]}

progress.show()


wildcard_constraints:
    dataset="|".join(PLAN["datasets"]),
    network="|".join(sorted(PLAN["networks"], key=len, reverse=True)),
    group="|".join(PLAN["groups"]),
    training=r"\d+",


def flags(values, *without):
    """{"validate_every": 20, "methods": ["a", "b"]} -> --validate-every 20 --methods a b"""
    words = []
    for key, value in values.items():
        if key not in without:
            words += [f"--{key.replace('_', '-')}", *map(str, value if isinstance(value, list) else [value])]
    return shlex.join(words)


def world(w):
    """Of a dataset; of that on which budgets are chosen, where a rule has none."""
    dataset = PLAN["datasets"][getattr(w, "dataset", PLAN["budget"])]
    return {key: dataset[key] for key in ("kind", "error")} | {"size": PLAN["size"]}


def seed(w):
    return {"seed": PLAN["seed"]}


def group(w):
    """Methods and numbers of a group; an option may have one value per network."""
    values = PLAN["groups"][w.group]
    kind = PLAN["networks"][w.network]["network"]
    options = {
        name: {key: x[kind] if isinstance(x, dict) else x for key, x in own.items()}
        for name, own in values.get("options", {}).items()
    }
    return values | {"options": json.dumps(options), "steps": PLAN["steps"], "rules": config["rules"]}


def needs(gigabytes, hours):
    return {"mem_mb": lambda w, attempt: 1000 * gigabytes * attempt, "runtime": 60 * hours} | (
        {"gpu": 1} if config["device"] != "cpu" else {}
    )


rule people:
    output:
        PEOPLE,
    params:
        out=f"{BUILD}/people/{{dataset}}",
        flags=lambda w: flags(
            world(w) | {"count": PLAN["people"], "distractors": PLAN["datasets"][w.dataset]["distractors"]} | RUN | seed(w)
        ),
    message:
        "test people of {wildcards.dataset}"
    resources:
        **needs(4, 1),
    shell:
        f"{STAGE} study people --out {{params.out}} {{params.flags}}"


rule faces:
    output:
        FACES,
    params:
        out=f"{BUILD}/data/{{dataset}}",
        flags=lambda w: flags(
            world(w)
            | {key: PLAN["datasets"][w.dataset][key] for key in ("subjects", "pretraining", "doppelgangers")}
            | RUN
            | seed(w)
        ),
    message:
        "training people of {wildcards.dataset}"
    resources:
        **needs(8, 1),
    shell:
        f"{STAGE} prepare faces --dataset {{wildcards.dataset}} --out {{params.out}} --no-quadruplets {{params.flags}}"


rule train:
    input:
        FACES,
    output:
        WEIGHTS,
    params:
        out=f"{BUILD}/networks/{{dataset}}/{{network}}-{{training}}",
        flags=lambda w: flags(
            PLAN["networks"][w.network]
            | PLAN["training"]
            | PLAN["trained_otherwise"].get(w.network, {})
            | RUN
            | {"seed": 1000 + int(w.training)}
        ),
    message:
        "training {wildcards.training} of {wildcards.network} on {wildcards.dataset}"
    resources:
        **needs(8, 12),
    shell:
        f"{STAGE} train --faces {{input}} --out {{params.out}} {{params.flags}}"


rule trials:
    input:
        people=PEOPLE,
        weights=WEIGHTS,
    output:
        TRIALS,
    params:
        flags=lambda w: flags(
            {"training": w.training, "trainings": PLAN["trainings"], "fpr": PLAN["fpr"]}
            | {game: max(g[game] for g in PLAN["groups"].values()) for game in ("triplets", "quadruplets")}
            | RUN
            | seed(w)
        ),
    message:
        "trials of training {wildcards.training} of {wildcards.network} on {wildcards.dataset}"
    resources:
        **needs(8, 2),
    shell:
        f"{STAGE} study trials --people {{input.people}} --weights {{input.weights}} --out {{output}} {{params.flags}}"


rule budget:
    input:
        WEIGHTS.format(dataset=PLAN["budget"], network="{network}", training=0),
    output:
        BUDGET,
    params:
        flags=lambda w: flags(world(w) | RUN | seed(w)),
    message:
        "budgets of black-box methods for {wildcards.network}"
    resources:
        **needs(8, 12),
    shell:
        f"{STAGE} study budget --weights {{input}} --out {{output}} {{params.flags}}"


rule play:
    input:
        trials=TRIALS,
        weights=WEIGHTS,
        budget=lambda w: [BUDGET.format(network=w.network)] if w.group == "black" else [],
    output:
        f"{OUT}/{{group}}.npz",
    params:
        flags=lambda w: flags(group(w) | RUN | seed(w)),
        budget=lambda w, input: flags({"budget": input.budget}) if w.group == "black" else "",
    message:
        "{wildcards.group}: training {wildcards.training} of {wildcards.network} on {wildcards.dataset}"
    resources:
        **needs(8, 12),
    shell:
        f"{STAGE} study play --trials {{input.trials}} --weights {{input.weights}} --out {{output}} {{params.flags}}"
        " {params.budget}"
