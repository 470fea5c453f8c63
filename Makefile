# The newcomer's commands: `make up` and `make test`. `make help` lists all.
GO      ?= go
COMPOSE ?= $(shell docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose)
BIN     := bin/tripod
KUBE    := v1.37.2
LDFLAGS := -s -w -X k8s.io/component-base/version.gitVersion=$(KUBE) -X k8s.io/client-go/pkg/version.gitVersion=$(KUBE)
# One setting for all that links Kubernetes: with another, the compiler's cache is of no use. Static, for the image.
export CGO_ENABLED := 0

# Unit tests link no Kubernetes, but for apiserver/, which is nothing else.
UNIT := $(filter-out tripod/apiserver tripod/apiserver/cloud tripod/cmd/% tripod/system%,$(shell $(GO) list ./... 2>/dev/null))

.PHONY: help build up down test unit system collectors conformance lint vuln bench soak image dist clean
help: ## list these commands
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 13

build: ## build bin/tripod (the first time takes some minutes: it compiles Kubernetes)
	@mkdir -p bin
	tools/build $(GO) -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/tripod

up: build ## build and start the region; Ctrl-C stops it
	$(BIN) up

down: ## stop the region; its data stays
	$(BIN) down

test: lint unit system ## all tests: what CI runs

unit: ## unit tests, with the race detector where cgo has a compiler
	CGO_ENABLED=$(if $(shell command -v gcc),1,0) $(GO) test $(if $(shell command -v gcc),-race) $(UNIT)
	$(GO) test -C tools -count=1 ./...

system: build bin/karpenter ## stories that run bin/tripod with three zones
	$(GO) test -count=1 -timeout 45m ./system/... ./apiserver/cloud

# Karpenter's own program, for the story of it and docs/karpenter.md: a module of its own, as it has other versions of Kubernetes' client.
bin/karpenter: testdata/karpenter/go.mod
	@mkdir -p bin
	$(GO) build -C testdata/karpenter -ldflags '-s -w' -o ../../$@ github.com/aws/karpenter-provider-aws/cmd/controller

collectors: build bin/otelcol bin/metrics-server ## stories of collectors that people use: OpenTelemetry's receivers, metrics-server (compiles them first)
	$(GO) test -count=1 -timeout 30m ./system -run '^(TestOpenTelemetry|TestPrometheusFindsTargetsByTheAPI|TestMetricsServer)'

# Modules of their own, too; metrics-server's has this project's versions of Kubernetes' libraries, which are compiled already.
bin/otelcol: testdata/collector/go.mod testdata/collector/main.go
	@mkdir -p bin
	$(GO) build -C testdata/collector -tags remove_all_sd,enable_kubernetes_sd -ldflags '-s -w' -o ../../$@ .

bin/metrics-server: testdata/metrics-server/go.mod
	@mkdir -p bin
	$(GO) build -C testdata/metrics-server -ldflags '-s -w' -o ../../$@ sigs.k8s.io/metrics-server/cmd/metrics-server

conformance: build ## Kubernetes' own end-to-end specs: none that passed may fall off (compiles them first)
	$(GO) test -C system/conformance/e2e -vet=off -ldflags '$(LDFLAGS)' -c -o $(CURDIR)/bin/e2e.test k8s.io/kubernetes/test/e2e
	$(GO) build -C system/conformance/e2e -o $(CURDIR)/bin/ginkgo github.com/onsi/ginkgo/v2/ginkgo
	$(GO) run ./system/conformance $(CONFORMANCE)

lint: ## gofmt, and go vet's and staticcheck's checks in one
	@test -z "$$(gofmt -l . | tee /dev/stderr)" || { echo 'gofmt -w the files above' >&2; exit 1; }
	$(GO) build -C tools -o ../bin/lint ./lint
	bin/lint ./...

vuln: ## govulncheck, which asks vuln.go.dev
	$(GO) tool -modfile=tools/go.mod govulncheck ./...

bench: build ## figures, beside kwokctl on the same binaries (Linux, half an hour; BENCH='--runs 1 --kills 5' is short)
	$(GO) run ./bench $(BENCH)

soak: build ## random and fuzzed policies and tokens, a million each; regions at rest and under load, an hour each; 1,000 faults under histories that are checked; then kill zones under a writer for an hour
	$(GO) test -count=1 -timeout 1h ./iam -run 'Mutated|Reference|MoreDenies' -rounds 1000000
	for f in Verify SessionToken WebToken Policy; do $(GO) test ./iam -run '^$$' -fuzz "^Fuzz$$f$$" -fuzztime 1000000x -fuzzminimizetime 10x || exit 1; done
	TRIPOD_SOAK=1h $(GO) test -count=1 -timeout 3h ./system -run 'AtRest|OwnLoad|BusyMachine'
	TRIPOD_SOAK=3h $(GO) test -count=1 -timeout 4h -v ./system -run HistoriesAreRight
	$(GO) run ./bench --only writes,scheduler --kills 300 --takeovers 60 $(BENCH)

image: build ## build the container's image; then: docker compose up
	@mkdir -p .tripod .tripod-snapshots
	@printf 'TRIPOD_UID=%s\nTRIPOD_GID=%s\n' "$$(id -u)" "$$(id -g)" >.env
	$(COMPOSE) build

dist: ## archives for linux and darwin, with checksums, licences, completions and man pages (each system compiles Kubernetes)
	tools/dist $(GO) '$(LDFLAGS)' $(SYSTEMS)

clean: ## delete what was built
	rm -rf bin dist
