# make book [PROFILE=book|smoke|paper|cuhk] [DATA=folder] [SET=name] [WEIGHTS=file] [CORES=n]   compute everything, then the HTML book
# make book CLUSTER=slurm [PROFILE=...]   the same as jobs of a cluster: a name in book/cluster, or a folder of your own
# make chapter NAME=hiding_game [PROFILE=...] [PARAMS="steps=11 seed=3"]   execute one chapter with other parameters
# make pdf [PROFILE=...]   the book as one PDF, printed by Chromium
# make compare A=book B=_build/mine [TOLERANCE=0.02]   results of two builds, figure by figure
# make compare-method METHOD=mine [FILE=path/to/mine.py] [PROFILE=...]   play both games for a method against all others
# make study [CORES=n] [CLUSTER=slurm] [PIECES=lcnn9-0/white] [LIST=--list]   run or resume the study behind the verdicts
# make walk PROFILE=paper [DATA=folder] [NETWORKS=lcnn9]   each stage once at full size, two training steps: what it takes
# make bench [ONLY=lcnn9] [ROUNDS=5]   how fast it is here, beside peers from PyPI: _build/bench/results.md
# make architectures [GROUPS="torchvision,timm"] [KEEP=1]   maps of some hundred networks: rules, mass kept, time, refusals
# make company   tests of the adapters against Quantus, xaitk-saliency and captum, in an environment of their own
# make test | lint | golden | lock | clean | help
PROFILE ?= book
DATA ?=
SET ?=
WEIGHTS ?=
NETWORKS ?=
CORES ?=
CLUSTER ?=
NAME ?=
METHOD ?=
FILE ?=
ONLY ?= lcnn9,vgg16,image,blackbox,scaling,start,peers
ROUNDS ?= 5
PARAMS ?=
PIECES ?=
LIST ?=
TOLERANCE ?= 0.02

# TORCH=cpu, when the environment is made: PyTorch without CUDA, from its own index; on Linux several GB less
TORCH ?=
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
CHROMIUM ?=

VENV := .venv
PYTHON := $(VENV)/bin/python
STAMP := $(VENV)/.set-up
# The first of these that the lock is for makes the environment; name another with BASE_PYTHON=... Python 3.14 comes
# late: one package of the lock has no wheel for it, and needs a C compiler.
COVERED := 3.11 to 3.14
BASE_PYTHON ?= $(firstword $(foreach name,python3 python3.13 python3.12 python3.11 python3.14 python,\
	$(shell $(name) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' >/dev/null 2>&1 \
	&& echo $(name))))
# Nothing is resolved again, built with what is newest, or taken without its hash: what a package publishes tomorrow
# changes no set-up. Where a package has no wheel, setuptools and wheel of the lock build it.
INSTALL = $(PYTHON) -m pip --disable-pip-version-check install --no-deps
LOCKED = $(INSTALL) --require-hashes --no-build-isolation --use-pep517

# The recipes take these from the environment, as "$$NAME": whatever stands in a value, the shell reads it as one text.
export PROFILE DATA SET WEIGHTS NETWORKS CORES CLUSTER NAME METHOD FILE ONLY ROUNDS PARAMS PIECES TOLERANCE A B CHROMIUM

.PHONY: help setup bench company study walk book chapter pdf compare compare-method test lint golden lock clean
.DEFAULT_GOAL := help

help:
	@sed -n 's/^# //p' Makefile | head -12

setup: $(STAMP)

# The stamp is written last, so that an interrupted set-up is taken up again, and an up-to-date one costs nothing.
$(STAMP): requirements.txt pyproject.toml | $(PYTHON)
	@$(PYTHON) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m ensurepip
	$(PYTHON) book/workflow/lock.py --builders >$(VENV)/builders.txt
	$(LOCKED) --only-binary :all: --requirement $(VENV)/builders.txt
ifeq ($(TORCH),cpu)
	$(INSTALL) --index-url $(TORCH_INDEX) $$($(PYTHON) book/workflow/lock.py --torch)
	$(PYTHON) book/workflow/lock.py --without-cuda >$(VENV)/requirements.txt
	$(LOCKED) --requirement $(VENV)/requirements.txt
else
	$(LOCKED) --requirement requirements.txt
endif
	$(INSTALL) --quiet --no-index --no-build-isolation --editable .
	@touch $@

$(PYTHON):
	@test -n "$(BASE_PYTHON)" || { echo "error: no Python $(COVERED) on this machine's PATH;" \
		"install one, or name it: make BASE_PYTHON=/path/to/python3.12 ..." >&2; exit 1; }
	@"$(BASE_PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { echo "error: $(BASE_PYTHON) can't make virtual" \
		"environments; install its venv module (on Debian and Ubuntu: apt install python3-venv)" >&2; exit 1; }
	"$(BASE_PYTHON)" -m venv $(VENV)

book: setup
	@$(PYTHON) book/workflow/build.py --profile="$$PROFILE" --data="$$DATA" --set="$$SET" --weights="$$WEIGHTS" \
		--cores="$$CORES" --cluster="$$CLUSTER"

chapter: setup
	@$(PYTHON) book/workflow/build.py --profile="$$PROFILE" --data="$$DATA" --set="$$SET" --weights="$$WEIGHTS" \
		--cores="$$CORES" --chapter="$$NAME" --parameters="$$PARAMS"

pdf: book
	@name="$${PROFILE##*/}"; $(PYTHON) book/workflow/pdf.py --build="_build/$${name%.*}"

# one piece after the other, most valuable first; what data/study holds already is not computed again
study: setup
	@$(PYTHON) book/workflow/study.py --cores="$${CORES:-1}" --cluster="$$CLUSTER" --only="$$PIECES" $(if $(LIST),--list)

walk: setup
	@$(PYTHON) book/workflow/walk.py --profile="$$PROFILE" --data="$$DATA" --networks="$$NETWORKS"

compare: setup
	@$(PYTHON) book/workflow/compare.py --tolerance="$$TOLERANCE" -- "$$A" "$$B"

compare-method: setup
	@$(PYTHON) book/workflow/compare_method.py --profile="$$PROFILE" --data="$$DATA" --set="$$SET" --weights="$$WEIGHTS" \
		--method="$$METHOD" --file="$$FILE"

# large buffers are kept, as in the book's own build; peers that don't install are left out, and the table says so
bench: setup
	-@$(LOCKED) --quiet --upgrade --target _build/bench/peers --requirement benchmarks/requirements.txt
	@PYTHONPATH=_build/bench/peers MALLOC_MMAP_THRESHOLD_=4294967296 MALLOC_TRIM_THRESHOLD_=4294967296 \
		$(PYTHON) -m benchmarks --only="$$ONLY" --rounds="$$ROUNDS" --out _build/bench

# the newest of each library, with the newest of what it needs: none is in the lock
company: $(PYTHON)
	"$(BASE_PYTHON)" -m venv _build/company
	_build/company/bin/python -m pip install --quiet --editable ".[company]" pytest hypothesis
	_build/company/bin/python -m pytest tests/networks/test_adapters.py

# timm's networks are run where it is installed; the sweep says where it is not
architectures: setup
	@$(PYTHON) -m benchmarks.architectures $(if $(GROUPS),--only "$(GROUPS)") $(if $(KEEP),--keep)

test: lint
	$(PYTHON) -m pytest

lint: setup
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy

# tests/golden: executed chapters without results, which nbval replays, and the numbers of the others
golden: setup
	@$(PYTHON) book/workflow/build.py --profile smoke
	PYTHONPATH=tests:book/workflow $(PYTHON) -m helpers.make_golden

# newest versions that suit one another, on every Python from 3.11 on Linux and macOS, with hashes; read the diff before committing it
lock: setup
	$(PYTHON) -m uv pip compile --universal --python-version 3.11 --custom-compile-command "make lock" \
		--generate-hashes $(foreach extra,figures book inpaint cluster test setup,--extra $(extra)) --upgrade \
		pyproject.toml --output-file requirements.txt
	$(PYTHON) -m uv pip compile --universal --python-version 3.11 --custom-compile-command "make lock" \
		--generate-hashes --no-deps --upgrade benchmarks/requirements.in --output-file benchmarks/requirements.txt

clean:
	rm -rf _build book/chapters
