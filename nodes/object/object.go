// Package object is what is known of the Node objects of a cluster, and what is to be done to them, without Kubernetes.
package object

import (
	"maps"
	"slices"
	"time"
)

// Node is a Node object.
type Node struct {
	Name string
	// InstanceID is that of its providerID; empty: it has none yet, or it is no instance's.
	InstanceID    string
	Created       time.Time
	Ready         bool
	Unschedulable bool
	Labels        map[string]string
	Taints        []Taint
	// Unhealthy are the conditions that are not as they are on a healthy node: Ready and those of EKS's node monitoring
	// agent that are not True.
	Unhealthy []Condition
}

// Taint is a taint, with Kubernetes' effect: NoSchedule, PreferNoSchedule or NoExecute.
type Taint struct{ Key, Value, Effect string }

// Condition is a node's condition.
type Condition struct {
	Type, Reason string
	Since        time.Time
}

// Change is what is to be changed of the node with that name. The zero value changes nothing.
type Change struct {
	Node          string
	Unschedulable *bool
	// Labels are set; those of RemoveLabels are taken away.
	Labels       map[string]string
	RemoveLabels []string
	// Taints are set: one with the same key and effect is replaced. RemoveTaints are taken away, by key and effect.
	Taints       []Taint
	RemoveTaints []Taint
}

// Made says whether the node is as the change has it.
func (c Change) Made(n Node) bool {
	if c.Unschedulable != nil && n.Unschedulable != *c.Unschedulable {
		return false
	}
	for key, value := range c.Labels {
		if there, found := n.Labels[key]; !found || there != value {
			return false
		}
	}
	for _, key := range c.RemoveLabels {
		if _, found := n.Labels[key]; found {
			return false
		}
	}
	for _, taint := range c.Taints {
		if !slices.Contains(n.Taints, taint) {
			return false
		}
	}
	return !slices.ContainsFunc(c.RemoveTaints, func(t Taint) bool { return slices.ContainsFunc(n.Taints, t.same) })
}

// Over is a node's taints after the change.
func (c Change) Over(taints []Taint) []Taint {
	left := slices.DeleteFunc(slices.Clone(taints), func(t Taint) bool {
		return slices.ContainsFunc(c.Taints, t.same) || slices.ContainsFunc(c.RemoveTaints, t.same)
	})
	return append(left, c.Taints...)
}

// same says whether two taints are one, as Kubernetes sees them.
func (t Taint) same(other Taint) bool { return t.Key == other.Key && t.Effect == other.Effect }

// And is the change with another one of the same node over it.
func (c Change) And(other Change) Change {
	if other.Unschedulable != nil {
		c.Unschedulable = other.Unschedulable
	}
	labels := maps.Clone(c.Labels)
	for _, key := range other.RemoveLabels {
		delete(labels, key)
	}
	if labels == nil {
		labels = map[string]string{}
	}
	maps.Copy(labels, other.Labels)
	c.RemoveLabels = slices.DeleteFunc(slices.Concat(c.RemoveLabels, other.RemoveLabels), func(key string) bool {
		_, set := labels[key]
		return set
	})
	c.Labels = labels
	removed := slices.DeleteFunc(slices.Concat(c.RemoveTaints, other.RemoveTaints),
		func(t Taint) bool { return slices.ContainsFunc(other.Taints, t.same) })
	c.Taints, c.RemoveTaints = other.Over(c.Taints), removed
	return c
}

// Drained is what one pass of a node's drain has left.
type Drained struct {
	// Left is how many pods are on the node that are to go.
	Left int
	// Blocked are those of them, as NAMESPACE/NAME, that a disruption budget keeps.
	Blocked []string
}
