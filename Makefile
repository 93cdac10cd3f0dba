# The five things a contributor does. `make help` lists them.

CARGO ?= cargo
# The folder with the public workflows, node metadata and bench client, beside this repository.
NODETOOL_SHARED ?= ../shared
# The public files that tests read; where the folder is absent, those tests report a counted skip.
NODETOOL_SHARED_DATA ?= $(NODETOOL_SHARED)/data
# More arguments for the server: make run ARGS='--port 8080'.
ARGS ?=

# Tests run inside their crate's folder, so they get absolute paths.
override NODETOOL_SHARED := $(abspath $(NODETOOL_SHARED))
override NODETOOL_SHARED_DATA := $(abspath $(NODETOOL_SHARED_DATA))
export NODETOOL_SHARED NODETOOL_SHARED_DATA

# In CI the committed Cargo.lock must be right; at a desk cargo may update it.
LOCKED := $(if $(CI),--locked)
TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
BENCH := $(TARGET)/bench
CARGO_DENY_VERSION := 0.20.2

.DEFAULT_GOAL := help
.PHONY: help run test check bench tools

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-6s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Build the release binary and start the server
	@echo "NodeTool will answer at http://127.0.0.1:$${PORT:-7777} (try /health; Ctrl-C stops it)."
	@echo "More: make run ARGS='--port 8080', make run ARGS=--help"
	$(CARGO) run --release $(LOCKED) -p nodetool-server --bin nodetool -- serve $(ARGS)

test: ## Run every test: unit, integration, documentation, those of the checks, and the API by its description
	python3 -B ci/test_checks.py
	$(CARGO) test --workspace --doc $(LOCKED)
	@if $(CARGO) nextest --version >/dev/null 2>&1; then set -x; \
	    $(CARGO) nextest run --workspace $(LOCKED); \
	else set -x; \
	    $(CARGO) test --workspace --lib --bins --tests $(LOCKED); \
	fi
# The tests that need a service that speaks S3, with one.
	CARGO="$(CARGO)" python3 -B ci/s3.py "$(TARGET)" $(LOCKED)
	python3 -B ci/fuzz_api.py "$(TARGET)"
# The tools of the server, with the official client of the Model Context Protocol.
	python3 -B ci/mcp_tools.py "$(TARGET)"
# Steps in a real browser.
	CARGO="$(CARGO)" python3 -B ci/browser.py "$(TARGET)" $(LOCKED)
# The SDKs of OpenAI, as they are.
	python3 -B ci/sdk.py "$(TARGET)"
# The clients of model providers, with the providers' own libraries.
	CARGO="$(CARGO)" python3 -B ci/judges.py "$(TARGET)" $(LOCKED)
# Dockerfile, compose file and systemd unit, with the commands in them.
	python3 -B ci/deploy.py "$(TARGET)"
# The code of the public documents, as it stands there.
	python3 -B ci/snippets.py "$(TARGET)"

check: tools ## Format, lints, documentation, licences and bans, arrows between crates
	$(CARGO) fmt --all --check
	python3 -B ci/check_arrows.py
	$(CARGO) deny --locked check --hide-inclusion-graph licenses bans sources
	$(CARGO) clippy --workspace --all-targets $(LOCKED) -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --workspace --no-deps $(LOCKED)

# Built apart from the project's own artefacts, so that neither rebuilds the other.
tools:
	@$(CARGO) deny --version >/dev/null 2>&1 || { \
	    echo "cargo-deny is missing: installing $(CARGO_DENY_VERSION), once (about three minutes on two cores)"; \
	    env -u CARGO_TARGET_DIR $(CARGO) install cargo-deny --version $(CARGO_DENY_VERSION) --locked --quiet; }

bench: ## Measure the release build beside the ceiling probe
	@test -f "$(NODETOOL_SHARED)/bench/client/Cargo.toml" || { \
	    echo "no bench client in $(NODETOOL_SHARED)/bench: set NODETOOL_SHARED to the folder that holds bench/" >&2; exit 2; }
	mkdir -p "$(BENCH)/client"
# The copy keeps the client's lock file and artefacts out of a folder that may be read-only; the empty table keeps
# cargo from taking the copy for a lost member of this workspace.
	cp -Rp "$(NODETOOL_SHARED)/bench/client/." "$(BENCH)/client/" && chmod -R u+w "$(BENCH)/client"
	grep -q '^\[workspace\]' "$(BENCH)/client/Cargo.toml" || printf '\n[workspace]\n' >> "$(BENCH)/client/Cargo.toml"
	$(CARGO) build --release --manifest-path "$(BENCH)/client/Cargo.toml" --target-dir "$(BENCH)"
	$(CARGO) build --release $(LOCKED) -p nodetool-server --bin nodetool
	NTBENCH="$(BENCH)/release/ntbench" CEILING="$(BENCH)/release/ceiling" NODETOOL="$(TARGET)/release/nodetool" \
	    bash bench/run.sh $(ARGS)
	NTBENCH="$(BENCH)/release/ntbench" CEILING="$(BENCH)/release/ceiling" NODETOOL="$(TARGET)/release/nodetool" \
	    bash bench/editor.sh
	$(CARGO) build --release $(LOCKED) -p nodetool-server --example chat_load
	CHAT_LOAD="$(TARGET)/release/examples/chat_load" NODETOOL="$(TARGET)/release/nodetool" bash bench/chat.sh
	NTBENCH="$(BENCH)/release/ntbench" NODETOOL="$(TARGET)/release/nodetool" bash bench/doors.sh
	$(CARGO) build --release $(LOCKED) -p nodetool-server --example loop_load
	LOOP_LOAD="$(TARGET)/release/examples/loop_load" NODETOOL="$(TARGET)/release/nodetool" bash bench/loops.sh
