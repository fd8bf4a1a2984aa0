# Two commands do all the set-up on a fresh machine (python3 with venv, make): `make demo` and `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Two cores: many tests wait for what they started.
JOBS ?= 6
# The tests and the benchmark start Python hundreds of times: without bytecode each would compile everything anew.
unexport PYTHONDONTWRITEBYTECODE
SOURCES = $(shell find machinectl drivers -name '*.py' -o -name '*.sh')

CHECKS = check-types check-docs check-shell check-imports check-ruff check-errors check-sizes
.PHONY: demo test test-lab test-oldest check $(CHECKS) format reference docs pictures dist bench soak-access lab clean

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable . --group test --group check --group docs --group dist
	touch $@

demo: $(VENV)-plain/installed
	$(VENV)-plain/bin/python examples/demo.py

# Some of them, and as many at once as you like: `make test TESTS=tests/ssh JOBS=2`.
test: docs/reference.md
	@$(BIN)/python -m pytest -n $(JOBS) -m "not lab" $(TESTS); status=$$?; \
	echo 'Left out: the tests on real servers, which need root on Debian and many minutes. Run them: make test-lab'; \
	exit $$status

# Tests that share servers go to one process, which boots them once (tests/lab/sharing.py).
test-lab: docs/reference.md
	$(BIN)/python -m pytest -n $(JOBS) --dist loadscope -m lab $(TESTS)

# The lower bounds of pyproject.toml are promises, too: each dependency in the oldest version that it lets in. What
# depends most on their inner life is tested, without what the system's ssh does (its parameter is "system").
OLDEST = import tomllib; print(*(dependency.partition(",")[0].replace(">=", "==") \
	for dependency in tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"]))
$(VENV)-oldest/installed: pyproject.toml $(SOURCES) $(VENV)/installed
	$(PYTHON) -m venv --without-pip $(VENV)-oldest
	$(BIN)/python -m pip --python $(VENV)-oldest/bin/python install --quiet --no-compile --force-reinstall . --group test \
		$$($(BIN)/python -c '$(OLDEST)')
	touch $@

LIBRARIES = tests/certs/test_certs.py tests/fleet/test_yaml_nodes.py tests/cli/test_boards.py \
	$(foreach what,authentication connect hostile native_session private_keys session,tests/ssh/test_$(what).py)
test-oldest: $(VENV)-oldest/installed
	$(VENV)-oldest/bin/python -m pytest -n $(JOBS) -m "not lab" -k "not system or yaml" $(LIBRARIES) $(TESTS)

# Two at a time, and to the end: what fails is all shown.
check: docs/reference.md
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target --keep-going $(CHECKS)

check-ruff:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
check-types:
	$(BIN)/mypy
check-imports:
	$(BIN)/lint-imports --no-logo
# Rooms keep to their budgets. What has shrunk is noted by `python -m tools.room_sizes --hold`.
check-sizes:
	$(BIN)/python -m tools.room_sizes
# No code reads what our own errors say.
check-errors:
	$(BIN)/python -m pytest -q -k error tests/test_architecture.py
# Scripts for hosts and examples run under any sh, the lab's under bash. What they source (SC1091) is the host's.
check-shell:
	$(BIN)/shellcheck --shell=sh machinectl/compose/*.sh machinectl/docker_cli/*.sh machinectl/provision/scripts/*.sh
	$(BIN)/shellcheck --shell=bash --exclude=SC1091 tests/lab/*.sh .ci/run .ci/dist
	$(BIN)/shellcheck --shell=sh $$(find examples -name '*.sh')
check-docs:
	$(MKDOCS) build --quiet --strict

format: $(VENV)/installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The man page and the command reference follow from the command line. Each build of a package
# writes them, and so do `make test` and `make check` after a change.
reference: docs/reference.md
docs/reference.md: $(VENV)/installed $(SOURCES) $(shell find tools -name __pycache__ -prune -o -type f -print)
	$(BIN)/python -m tools.generate

# The site of docs/, in build/site. The variable silences an advertisement of the theme.
MKDOCS = NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs
docs: docs/reference.md
	$(MKDOCS) build --quiet --strict
	@echo "Open in a browser: file://$(CURDIR)/build/site/index.html"

# The pictures of docs/ and README.md: real sessions with servers of the lab, as root on Debian.
pictures: $(VENV)/installed
	$(BIN)/python -m tests.support.pictures

# dist/ holds what a release publishes. TESTS and JOBS say what is run of it, as in `make test`.
dist: $(VENV)/installed
	.ci/dist $(BIN)/python -n $(JOBS) $(TESTS)

# As a user has it: installed from a wheel, without what develops it. An editable installation makes each Python start,
# the baseline of the benchmark too, slower.
$(VENV)-plain/installed: pyproject.toml $(SOURCES)
	$(PYTHON) -m venv $(VENV)-plain
	$(VENV)-plain/bin/python -m pip install --quiet --upgrade pip
	$(VENV)-plain/bin/python -m pip install --quiet --force-reinstall .
	touch $@

# All of it, or parts: `make bench PARTS="start hosts"`.
bench: $(VENV)-plain/installed
	$(VENV)-plain/bin/python -m tests.bench $(PARTS)

# End holders of access under 200 faults on a host of the lab, as root. `make soak-access FAULTS=20`.
FAULTS ?= 200
soak-access: $(VENV)/installed
	$(BIN)/python -m tests.soak_access $(FAULTS)

# Renew an engine's certificates 100 times while clients ask it, as root: about 20 minutes. `make soak-renewal RENEWALS=10`.
RENEWALS ?= 100
soak-renewal: $(VENV)/installed
	$(BIN)/python -m tests.soak_renewal $(RENEWALS)

# Real servers on this machine to play with, as root: `make lab`, `make lab LAB="up --count 2 docker"`, `make lab LAB=down`.
LAB ?= up --count 3
lab: $(VENV)/installed
	$(BIN)/python -m tests.lab $(LAB)

clean:
	rm -rf $(VENV) $(VENV)-plain $(VENV)-oldest build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
