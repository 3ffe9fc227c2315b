# The verbs a person types; `make` alone lists them.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help run test test-all lab-node check build deb iso check-packages test-iso bench bench-iso golden clean-run clean
export PATH := $(CURDIR)/.tools/node/bin:$(CURDIR)/node_modules/.bin:$(PATH)
TSX = exec node --import tsx

help: ## list the verbs
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r verb text; do printf 'make %-14s %s\n' "$$verb" "$$text"; done

run: ## start DebVisor here, as root (LISTEN=address, IMPORT_FOLDER=folder:folder, DEBVISOR_STATE=folder, YES=1)
	@scripts/setup run
	@$(TSX) scripts/run/main.ts

test: ## all tests: check, build, real libvirt and QEMU, real browser
	@scripts/setup test
	@$(TSX) scripts/test.ts

test-all: ## the same and the slow stages
	@scripts/setup test
	@$(TSX) scripts/test.ts --all

lab-node: ## a node in QEMU, from bare to what its document says, broken, cut from its power (half an hour)
	@scripts/setup test
	@exec vitest run --project vm --reporter=verbose tests/vm/node.test.ts

check: ## types, lint, layers, generated code, unit tests
	@scripts/setup npm
	@$(TSX) scripts/check.ts

build: ## bundle the programs and the panel into dist/
	@scripts/setup npm
	@$(TSX) scripts/build.ts

deb: ## build the package debvisor: dist/debvisor_<version>_all.deb
	@scripts/setup deb
	@$(TSX) scripts/deb.ts

iso: ## build the ISO, as root: dist/debvisor-<version>-amd64.hybrid.iso (./build-debvisor.sh --help has its settings)
	@scripts/setup deb
	@./build-debvisor.sh

check-packages: ## every package of the ISO is one of Debian 13
	@scripts/setup npm
	@$(TSX) scripts/iso/check-packages.ts

test-iso: ## build the ISO, look into it and boot it
	@scripts/setup test
	@exec vitest run --project iso --reporter=verbose

bench: ## benchmarks against a peer in the same run; fails when a target is missed
	@scripts/setup test
	@$(TSX) scripts/build.ts
	@$(TSX) bench/main.ts

bench-iso: ## size, build and phases of the ISO, from power-on to a panel that answers
	@scripts/setup test
	@$(TSX) bench/main.ts iso

golden: ## rewrite the golden files and show the difference
	@scripts/setup npm
	@$(TSX) scripts/golden.ts

clean-run: ## stop what `make run` started, remove its state folder and what libvirt has of it
	@scripts/setup npm
	@$(TSX) scripts/run/clean.ts

clean: ## remove what was built, fetched and cached (not the state folder)
	rm -rf dist test-output .tools node_modules
