// Package e2e is of a module of its own, so that what only Kubernetes' end-to-end tests and Ginkgo need is none of
// Tripod's requirements. Nothing is in it: `make conformance` builds k8s.io/kubernetes/test/e2e and ginkgo from here.
package e2e

import _ "k8s.io/kubernetes/test/e2e"
