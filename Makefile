# The commands of this repository. "make" alone lists them.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

LINT := go tool -modfile=tools/go.mod golangci-lint
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
# How long each fuzz test runs, and which benchmarks.
FUZZTIME ?= 10s
BENCH ?= .

.PHONY: help
help: ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-14s %s\n", $$1, $$2 }'

.PHONY: build
build: ## Build ./extractq
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o extractq ./cmd/extractq

.PHONY: demo
demo: build ## Extract the examples with the local sandbox: no account, no Redis
	./extractq run --provider sandbox --type tax_forms --out out examples

# A test that needs Redis, a browser, curl, node or python3 fails without (CI=true) instead
# of being skipped. The race detector sleeps for a second at the end of every package
# otherwise.
.PHONY: test
test: ## Run all tests with a real Redis and the race detector
	@tools/need gcc redis-server chromium curl node python3
	CI=true GORACE=atexit_sleep_ms=100 go test -race -shuffle=on -count=1 -parallel 8 -timeout 20m ./...

.PHONY: test-clients
test-clients: ## Generate clients in Go and TypeScript from the API's description and use them
	@tools/need redis-server node npm
	CI=true EXTRACTQ_TEST_NPM=1 go test -count=1 -timeout 20m -run 'TestGenerated' ./e2e

.PHONY: check
check: ## Check everything else: modules, format, vet, lint; says how to fix it
	@tools/check

.PHONY: lint
lint: ## Run the linters
	$(LINT) run ./...

.PHONY: fmt
fmt: ## Format the code, modernize it, tidy the modules
	go mod tidy
	go -C tools mod tidy
	go fix ./...
	$(LINT) fmt

.PHONY: generate
generate: ## Write the generated files again
	go generate ./...

.PHONY: bench
bench: ## Run the benchmarks (BENCH=pattern)
	@tools/need redis-server
	go test -run '^$$' -bench '$(BENCH)' -benchmem ./...

.PHONY: bench-backfill
bench-backfill: ## Take 20,000 documents through run: docs/s and peak memory
	@tools/need redis-server
	EXTRACTQ_BENCH_BACKFILL=20000 go test -run '^$$' -bench Backfill -benchtime 1x -timeout 2h ./e2e

.PHONY: bench-queue
bench-queue: ## Take documents through the queue, beside bare asynq (DOCUMENTS=20000)
	@tools/need redis-server
	go test -run '^$$' -bench BenchmarkQueue -benchtime $(or $(DOCUMENTS),20000)x -timeout 1h ./worker

.PHONY: bench-webhooks
bench-webhooks: ## 50 documents a second: how long from the vendor's webhook to the callback
	@tools/need redis-server
	EXTRACTQ_BENCH_WEBHOOKS=1500 go test -count=1 -v -run TestWebhookToCallback ./e2e

.PHONY: chaos
chaos: ## Strike a whole installation, compare the vendor's ledger (SEED= SCENARIO= MINUTES= DOCUMENTS=)
	@tools/need redis-server
	go run ./cmd/chaos -version '$(VERSION)' $(if $(SEED),-seed $(SEED)) $(if $(SCENARIO),-scenario $(SCENARIO)) \
	  $(if $(MINUTES),-minutes $(MINUTES)) $(if $(DOCUMENTS),-documents $(DOCUMENTS))

.PHONY: chaos-api
chaos-api: ## Kill the service while 64 producers post 2,000 documents; cut 200 large uploads
	@tools/need redis-server
	EXTRACTQ_CHAOS_DOCUMENTS=2000 EXTRACTQ_CHAOS_UPLOAD_MIB=25 \
	  go test -count=1 -v -parallel 1 -run 'TestAPIIsKilled|TestCutUploads' -timeout 30m ./e2e

.PHONY: outage
outage: ## Ten minutes of 500 for every submission, with 200 documents (takes half an hour)
	@tools/need redis-server
	EXTRACTQ_OUTAGE=10m go test -count=1 -v -run TestVendorTakesNoSubmission -timeout 40m ./e2e

.PHONY: slow-line
slow-line: ## 28 uploads of 25 MB that share a line of 1 MB/s (12 minutes)
	@tools/need redis-server
	EXTRACTQ_SLOW_LINE=25 go test -count=1 -v -run TestUploadsShareASlowLine -timeout 40m ./e2e

.PHONY: takeover
takeover: ## Kill twenty workers and measure how soon others have their work (six minutes)
	@tools/need redis-server
	EXTRACTQ_TAKEOVER=20 go test -count=1 -v -run TestWorkIsTakenOver -timeout 40m ./e2e

.PHONY: redis-away
redis-away: ## A minute without Redis under load: what a worker uses, how soon it goes on
	@tools/need redis-server
	EXTRACTQ_REDIS_AWAY=60s go test -count=1 -v -run TestRedisIsAway -timeout 20m ./e2e

.PHONY: crash
crash: ## Kill a process at every place between two of its effects, in every flow
	@tools/need redis-server
	go test -count=1 -v -run TestEveryCrashPoint -timeout 60m ./e2e -all-points

.PHONY: rewind
rewind: ## Redis goes back in time in three ways, with 300 documents and three seeds each
	@tools/need redis-server
	EXTRACTQ_REWIND_DOCUMENTS=300 go test -count=1 -v -parallel 3 -run 'TestRedisGoesBack$$' -timeout 60m ./e2e

.PHONY: clock
clock: ## Redis's clock jumps 600 s back and 4,000 s ahead, with 150 documents each
	@tools/need redis-server gcc
	EXTRACTQ_CLOCK_DOCUMENTS=150 go test -count=1 -v -run TestRedisClockJumps -timeout 40m ./e2e

.PHONY: fuzz
fuzz: ## Run every fuzz test for a while (FUZZTIME=10s each)
	@tools/fuzz $(FUZZTIME)

.PHONY: test-machines
test-machines: ## Object stores against a real server, Redis with TLS and users, a Cluster, Sentinels
	@tools/test-machines

.PHONY: compose-test
compose-test: ## Run docker-compose.yml for real, with a Docker daemon of its own (root)
	@tools/compose-test
