# Two commands matter: `make demo` and `make test`. Both install what is missing on Debian and Raspberry Pi OS.

.DEFAULT_GOAL := help
.PHONY: help demo build deb deb-arm64 package-test image test bench soak fuzz api-check lint fmt vendor

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## the whole service with simulated cameras; ARGS="--listen ADDR" goes to it
	@scripts/demo $(ARGS)

build: ## a release binary, installing what it needs
	@scripts/build

deb: ## a Debian package for this machine, built on it, in target/deb/native
	@scripts/deb native

deb-arm64: ## the package for a Raspberry Pi, built on a PC in a clean Debian 12, in target/deb/arm64; as root
	@scripts/deb chroot arm64

package-test: ## both packages built and tried in machines booted for it, up to an hour; as root; ONLY=amd64|arm64
	@scripts/package-test $(ONLY)

image: ## a container image of this machine's architecture, by docker, podman or buildah
	@scripts/image

test: ## formatting, lints, documentation, dependencies, every test
	@scripts/test

bench: ## the figures, beside ffmpeg; ONLY=keyframe|mid-gop|start|idle|thousand|two-thousand|growth|faults|checks|history|fleet|hostile|life|api|dashboard|dashboard-five-thousand|mqtt for one of them
	@ONLY="$(ONLY)" scripts/bench

soak: ## an hour of cameras that break, restarts and changes, and what must stay flat; MINUTES=60
	@MINUTES="$(MINUTES)" SEED="$(SEED)" scripts/soak

fuzz: ## what reads bytes of others, under random ones; SECONDS=600 in all
	@SECONDS_TO_RUN="$(SECONDS)" scripts/fuzz

api-check: ## the API against its description, with requests made up by schemathesis; EXAMPLES=50
	@scripts/api-check

lint: ## formatting, clippy, documentation, shellcheck, rules of Prometheus, cargo deny
	@scripts/install build test rust rust-lint
	@scripts/lint

fmt: ## format the code
	cargo fmt

vendor: ## the libraries of the dashboard anew, in the versions of scripts/vendor
	@scripts/vendor
