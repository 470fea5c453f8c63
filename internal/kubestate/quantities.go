package kubestate

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"
)

var notInNames = regexp.MustCompile(`[^a-zA-Z0-9_]`)

func labelName(name string) string { return notInNames.ReplaceAllString(name, "_") }

var inCamels = regexp.MustCompile(`([a-z0-9])([A-Z])`)

// labelsOf are an object's own labels as series have them, in order: label_app_kubernetes_io_name. Of those that would
// have the same name, each has a number.
func labelsOf(prefix string, labels map[string]string) []string {
	names := map[string]int{}
	all := make([]string, 0, 2*len(labels))
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		name := prefix + "_" + strings.ToLower(inCamels.ReplaceAllString(labelName(key), "${1}_${2}"))
		names[name]++
		all = append(all, name, labels[key])
	}
	numbers := map[string]int{}
	for i := 0; i < len(all); i += 2 {
		if name := all[i]; names[name] > 1 {
			numbers[name]++
			all[i] = fmt.Sprintf("%s_conflict%d", name, numbers[name])
		}
	}
	return all
}

// value is a quantity as a number, to the thousandth where it is not too large for that.
func value(q resource.Quantity) float64 {
	if q.Value() > resource.MaxMilliValue {
		return float64(q.Value())
	}
	return float64(q.MilliValue()) / 1000
}

// unit is what a resource is counted in; empty: it is none that is told.
func unit(name corev1.ResourceName) string {
	switch name {
	case corev1.ResourceCPU:
		return "core"
	case corev1.ResourceMemory, corev1.ResourceStorage, corev1.ResourceEphemeralStorage:
		return "byte"
	case corev1.ResourcePods:
		return "integer"
	}
	switch text := string(name); {
	case strings.HasPrefix(text, corev1.ResourceHugePagesPrefix), strings.HasPrefix(text, corev1.ResourceAttachableVolumesPrefix):
		return "byte"
	case isExtended(text):
		return "integer"
	}
	return ""
}

// isExtended is as Kubernetes' IsExtendedResourceName.
func isExtended(name string) bool {
	return strings.Contains(name, "/") && !strings.Contains(name, corev1.ResourceDefaultNamespacePrefix) &&
		!strings.HasPrefix(name, corev1.DefaultResourceRequestsPrefix) &&
		len(validation.IsQualifiedName(corev1.DefaultResourceRequestsPrefix+name)) == 0
}

// quantities adds a series for each resource of a list that has a unit, with some labels before.
func (s *series) quantities(list corev1.ResourceList, labels ...string) {
	for _, name := range slices.Sorted(maps.Keys(list)) {
		if in := unit(name); in != "" {
			s.add(value(list[name]), append(slices.Clone(labels), "resource", labelName(string(name)), "unit", in)...)
		}
	}
}

// limits adds a series for each resource of a list, as it is called.
func (s *series) limits(list corev1.ResourceList, labels func(resource string) []string) {
	for _, name := range slices.Sorted(maps.Keys(list)) {
		s.add(value(list[name]), labels(string(name))...)
	}
}
