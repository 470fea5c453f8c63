package api

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// KindZone is the target type of a zone; the other types are the names of components.
const KindZone = "az"

// TargetKinds are the types of targets that are in a zone.
var TargetKinds = []string{KindZone, "etcd", "apiserver", "controllers"}

// Target is what an order is for: "etcd/us-east-1b", "az/b" or, of RecordFaults, "pod/default/web-0".
type Target struct {
	Kind string `json:"kind"`
	// Name is a zone's name or its last letter where the target is in a zone.
	Name string `json:"name"`
}

// Order is one of Verbs for a target in a zone.
type Order struct {
	Target Target
	Verb   string
	// Cluster narrows an instance's target to one cluster; empty means every cluster.
	Cluster string
	// For is after how long the fault that the verb leaves is taken back; 0: when somebody does.
	For time.Duration
}

// CheckSpan says what is wrong with a time after which a verb's fault is to be taken back.
func (v Verb) CheckSpan(kind string, span time.Duration) error {
	switch {
	case span == 0:
		return nil
	case span < 0:
		return fmt.Errorf("--%s %v is no time that passes: write it as 30s or 5m", OptionFor, span)
	case v.Fault == "":
		return fmt.Errorf("%s takes no --%s: it leaves no fault", v.Name, OptionFor)
	case v.Fault == StateKilled && kind != KindZone:
		return fmt.Errorf("kill %s/ZONE takes no --%s: its zone starts it again at once (stop takes one)", kind, OptionFor)
	}
	return nil
}

func (t Target) String() string { return t.Kind + "/" + t.Name }

// ParseTarget reads a target that is in a zone.
func ParseTarget(text string) (Target, error) {
	kind, name, ok := strings.Cut(text, "/")
	if !ok || name == "" {
		return Target{}, fmt.Errorf("%q is not a target: write TYPE/ZONE, such as az/b or etcd/b", text)
	}
	if !slices.Contains(TargetKinds, kind) {
		return Target{}, fmt.Errorf("there are no targets of type %q: the types are %s", kind,
			strings.Join(TargetKinds, ", "))
	}
	return Target{Kind: kind, Name: name}, nil
}

// FindZone returns the zone with this name ("us-east-1b"), last letter ("b") or id ("use1-az2"). The error is a
// sentence that names the zones there are.
func (s *Status) FindZone(name string) (*Zone, error) {
	for i, zone := range s.Zones {
		if name == zone.Name || name == zone.ID || name == s.Letter(zone.Name) {
			return &s.Zones[i], nil
		}
	}
	var names []string
	for _, zone := range s.Zones {
		names = append(names, s.Letter(zone.Name))
	}
	return nil, fmt.Errorf("there is no zone %q in %s: its zones are %s", name, s.Region, strings.Join(names, ", "))
}

// Letter is a zone's short name: "b" for us-east-1b.
func (s *Status) Letter(zone string) string {
	return strings.TrimPrefix(zone, s.Region)
}
