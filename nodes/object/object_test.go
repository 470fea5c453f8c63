package object

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestChangesAreMadeOnce(t *testing.T) {
	yes := true
	gpu, old, other := Taint{"gpu", "a", "NoSchedule"}, Taint{"gpu", "b", "NoSchedule"}, Taint{"gpu", "a", "NoExecute"}
	node := Node{Labels: map[string]string{"a": "1"}, Taints: []Taint{old, other}}
	for name, c := range map[string]struct {
		Change
		made bool
	}{
		"nothing":          {Change{}, true},
		"cordon":           {Change{Unschedulable: &yes}, false},
		"a label there":    {Change{Labels: map[string]string{"a": "1"}}, true},
		"another value":    {Change{Labels: map[string]string{"a": "2"}}, false},
		"a label to go":    {Change{RemoveLabels: []string{"a"}}, false},
		"a label gone":     {Change{RemoveLabels: []string{"b"}}, true},
		"a taint there":    {Change{Taints: []Taint{other}}, true},
		"another value of": {Change{Taints: []Taint{gpu}}, false},
		"a taint to go":    {Change{RemoveTaints: []Taint{gpu}}, false},
	} {
		if got := c.Made(node); got != c.made {
			t.Errorf("%s: made is %t", name, got)
		}
	}
	if diff := cmp.Diff([]Taint{other, gpu}, Change{Taints: []Taint{gpu}}.Over(node.Taints)); diff != "" {
		t.Errorf("a taint of the same key and effect is replaced (-want +got):\n%s", diff)
	}
}

func TestLaterChangesCount(t *testing.T) {
	a, b := Taint{"a", "", "NoSchedule"}, Taint{"b", "", "NoSchedule"}
	first := Change{Node: "n", Labels: map[string]string{"x": "1", "y": "1"}, RemoveLabels: []string{"z"}, Taints: []Taint{a}}
	got := first.And(Change{Labels: map[string]string{"z": "2"}, RemoveLabels: []string{"x"}, Taints: []Taint{b},
		RemoveTaints: []Taint{a}})
	want := Change{Node: "n", Labels: map[string]string{"y": "1", "z": "2"}, RemoveLabels: []string{"x"}, Taints: []Taint{b},
		RemoveTaints: []Taint{a}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
