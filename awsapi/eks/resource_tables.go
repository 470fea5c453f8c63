package eks

import (
	"iter"
	"maps"
	"slices"

	"tripod/state"
)

// label is what a stored resource says about itself.
type label struct {
	clusterID string // empty: the resource is of the account, not of a cluster
	name      string
	arn       string
	tags      *map[string]string
}

// shelf is where one kind of resource stands: a table whose keys are CLUSTERID/NAME.
type shelf[T any] struct {
	kind  string // the first part of the kind's ARNs
	table state.Table[T]
	label func(*T) label
	// arns finds a resource by its ARN, of kinds that clusters have thousands of; nil: they are looked through.
	arns *state.Index[T]
}

// keeper is a shelf of any kind of resource.
type keeper interface {
	kindName() string
	// find tells a resource's ARN, empty where there is none of that name, and its tags.
	find(tx *state.Txn, clusterID, name string) (arn string, tags map[string]string)
	// tagsOf are the tags of the resource with that ARN.
	tagsOf(tx *state.Txn, clusterID, arn string) (tags map[string]string, found bool)
	// setTags gives the resource with that ARN other tags.
	setTags(tx *state.Txn, clusterID, arn string, tags map[string]string)
	// names are those of the cluster's resources, sorted, and namesAfter those behind one of them.
	names(tx *state.Txn, clusterID string) []string
	namesAfter(tx *state.Txn, clusterID, after string) iter.Seq[string]
}

// clusterShelves hold what belongs to a cluster and goes with it: see region.DeleteCluster.
var clusterShelves = []keeper{nodegroups, fargateProfiles, addons, capabilities, accessEntries, podIdentities,
	identityProviders}

func (s shelf[T]) kindName() string { return s.kind }

func key(clusterID, name string) string {
	if clusterID == "" {
		return name
	}
	return clusterID + "/" + name
}

func (s shelf[T]) get(tx *state.Txn, clusterID, name string) (T, bool) {
	return s.table.Get(tx, key(clusterID, name))
}

func (s shelf[T]) put(tx *state.Txn, value T) {
	l := s.label(&value)
	s.table.Put(tx, key(l.clusterID, l.name), value)
}

func (s shelf[T]) delete(tx *state.Txn, clusterID, name string) {
	s.table.Delete(tx, key(clusterID, name))
}

// of are the cluster's resources. Their keys end in their names.
func (s shelf[T]) of(clusterID string) state.Part[T] { return s.table.Part(key(clusterID, "")) }

// list are the cluster's resources in the order of their names.
func (s shelf[T]) list(tx *state.Txn, clusterID string) []T { return s.of(clusterID).List(tx) }

func (s shelf[T]) withARN(tx *state.Txn, clusterID, arn string) (T, bool) {
	among := s.of(clusterID)
	if s.arns != nil {
		among = s.arns.Of(arn)
	}
	for _, value := range among.After(tx, "") {
		if l := s.label(&value); l.arn == arn && l.clusterID == clusterID {
			return value, true
		}
	}
	var none T
	return none, false
}

func (s shelf[T]) find(tx *state.Txn, clusterID, name string) (string, map[string]string) {
	value, found := s.get(tx, clusterID, name)
	if !found {
		return "", nil
	}
	l := s.label(&value)
	return l.arn, *l.tags
}

func (s shelf[T]) has(tx *state.Txn, clusterID, name string) bool {
	_, found := s.get(tx, clusterID, name)
	return found
}

func (s shelf[T]) tagsOf(tx *state.Txn, clusterID, arn string) (map[string]string, bool) {
	value, found := s.withARN(tx, clusterID, arn)
	if !found {
		return nil, false
	}
	return maps.Clone(*s.label(&value).tags), true
}

func (s shelf[T]) setTags(tx *state.Txn, clusterID, arn string, tags map[string]string) {
	if value, found := s.withARN(tx, clusterID, arn); found {
		*s.label(&value).tags = tags
		s.put(tx, value)
	}
}

func (s shelf[T]) names(tx *state.Txn, clusterID string) []string {
	return slices.Collect(s.namesAfter(tx, clusterID, ""))
}

func (s shelf[T]) namesAfter(tx *state.Txn, clusterID, after string) iter.Seq[string] {
	prefix := key(clusterID, "")
	if after != "" {
		after = key(clusterID, after)
	}
	return func(yield func(string) bool) {
		for key := range s.of(clusterID).KeysAfter(tx, after) {
			if !yield(key[len(prefix):]) {
				return
			}
		}
	}
}
