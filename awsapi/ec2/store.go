package ec2

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"regexp"
	"slices"

	"tripod/awsapi/wire"
	"tripod/state"
)

// list is a list in EC2's XML: an element with <item>s, there when empty too.
type list[T any] []T

// MarshalXML implements xml.Marshaler.
func (l list[T]) MarshalXML(e *xml.Encoder, start xml.StartElement) error {
	if err := e.EncodeToken(start); err != nil {
		return err
	}
	for _, item := range l {
		if err := e.EncodeElement(item, xml.StartElement{Name: xml.Name{Local: "item"}}); err != nil {
			return err
		}
	}
	return e.EncodeToken(start.End())
}

// entry is a stored resource. Overrides says that it is one of those that come with the region, changed: when that is
// gone, so is this.
type entry[T any] struct {
	Value     T    `json:"value"`
	Overrides bool `json:"overrides,omitempty"`
}

// kind is one kind of resource: those that come with the region are computed, those that calls made or changed are
// stored.
type kind[T any] struct {
	table   state.Table[entry[T]] // the zero one where all are computed
	prefix  string                // of ids: vpc
	noun    string                // vpc ID, in messages
	code    string                // InvalidVpcID: begins the codes .NotFound and .Malformed
	missing string                // the code of one that is not there, where it is another
	// the code of an id that is none, where it is another: AWS writes some with Id and some with ID
	misnamed string
	absent   string // the sentence about one that is not there, with %s for its id, where it is another
	computed func(s *Service, tx *state.Txn) []T
	// find are those of some ids that are there, where they are found without looking at all; nil: what is stored is found by
	// its key, and else computed has it.
	find func(s *Service, tx *state.Txn, ids []string) []T
	id   func(T) string
}

// all are the resources, in the order of their ids.
func (k *kind[T]) all(s *Service, tx *state.Txn) []T {
	byID, fixed := map[string]T{}, map[string]bool{}
	if k.computed != nil {
		for _, value := range k.computed(s, tx) {
			byID[k.id(value)], fixed[k.id(value)] = value, true
		}
	}
	for _, e := range k.stored(tx) {
		if id := k.id(e.Value); fixed[id] || !e.Overrides {
			byID[id] = e.Value
		}
	}
	values := make([]T, 0, len(byID))
	for _, value := range byID {
		values = append(values, value)
	}
	slices.SortFunc(values, func(a, b T) int { return cmp.Compare(k.id(a), k.id(b)) })
	return values
}

func (k *kind[T]) stored(tx *state.Txn) []entry[T] {
	if k.table == (state.Table[entry[T]]{}) {
		return nil
	}
	return k.table.List(tx)
}

// get is the resource with that id, or AWS's error for one that is malformed or not there.
func (k *kind[T]) get(s *Service, tx *state.Txn, id string) (T, error) {
	var none T
	if err := k.check(id); err != nil {
		return none, err
	}
	found := k.found(s, tx, []string{id})
	if len(found) == 0 {
		return none, k.notFound(id)
	}
	return found[0], nil
}

// named are the resources with those ids, in the order of their ids; an error where one is not there.
func (k *kind[T]) named(s *Service, tx *state.Txn, ids []string) ([]T, error) {
	wanted := slices.Compact(slices.Sorted(slices.Values(ids)))
	all := k.found(s, tx, wanted)
	if len(all) < len(wanted) {
		for _, id := range ids { // the first that is not there, as they were given
			if !slices.ContainsFunc(all, func(t T) bool { return k.id(t) == id }) {
				return nil, k.notFound(id)
			}
		}
	}
	return all, nil
}

// found are those of the ids that are there, in the order of the ids.
func (k *kind[T]) found(s *Service, tx *state.Txn, ids []string) (all []T) {
	if k.find != nil {
		return k.find(s, tx, ids)
	}
	var fixed map[string]T // computed where the table does not do
	isFixed := func(id string) (T, bool) {
		if fixed == nil {
			fixed = map[string]T{}
			if k.computed != nil {
				for _, value := range k.computed(s, tx) {
					fixed[k.id(value)] = value
				}
			}
		}
		value, is := fixed[id]
		return value, is
	}
	for _, id := range ids {
		e, stored := k.load(tx, id)
		if stored && !e.Overrides {
			all = append(all, e.Value)
			continue
		}
		value, is := isFixed(id)
		if is && stored {
			value = e.Value
		}
		if is {
			all = append(all, value)
		}
	}
	return all
}

func (k *kind[T]) load(tx *state.Txn, id string) (e entry[T], stored bool) {
	if k.table == (state.Table[entry[T]]{}) {
		return e, false
	}
	return k.table.Get(tx, id)
}

// eachFound looks for ids one by one.
func eachFound[T any](find func(s *Service, tx *state.Txn, id string) (T, bool)) func(*Service, *state.Txn, []string) []T {
	return func(s *Service, tx *state.Txn, ids []string) (all []T) {
		for _, id := range ids {
			if value, found := find(s, tx, id); found {
				all = append(all, value)
			}
		}
		return all
	}
}

func (k *kind[T]) notFound(id string) *wire.Error {
	message := fmt.Sprintf("The %s '%s' does not exist", k.noun, id)
	if k.absent != "" {
		message = fmt.Sprintf(k.absent, id)
	}
	return refuse(cmp.Or(k.missing, k.code+".NotFound"), "%s", message)
}

var idDigits = regexp.MustCompile(`^-([0-9a-f]{8}|[0-9a-f]{17})$`)

func (k *kind[T]) check(id string) error {
	if len(id) > len(k.prefix) && id[:len(k.prefix)] == k.prefix && idDigits.MatchString(id[len(k.prefix):]) {
		return nil
	}
	return refuse(cmp.Or(k.misnamed, k.code+".Malformed"), "Invalid id: %q (expecting \"%s-...\")", clip(id), k.prefix)
}

// put stores a resource, new or changed.
func (k *kind[T]) put(s *Service, tx *state.Txn, value T) {
	k.table.Put(tx, k.id(value), entry[T]{Value: value, Overrides: k.isComputed(s, tx, k.id(value))})
}

// delete removes a resource and its tags; those that come with the region stay.
func (k *kind[T]) delete(s *Service, tx *state.Txn, id string) error {
	if k.isComputed(s, tx, id) {
		return refuse("OperationNotPermitted", "%s comes with the region and cannot be deleted: Tripod's clusters "+
			"live in it.", id)
	}
	k.table.Delete(tx, id)
	tags.Delete(tx, id)
	return nil
}

func (k *kind[T]) isComputed(s *Service, tx *state.Txn, id string) bool {
	return k.computed != nil && slices.ContainsFunc(k.computed(s, tx), func(value T) bool { return k.id(value) == id })
}

// newID makes a random id in EC2's long form.
func newID(prefix string) string {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return prefix + "-0" + hex.EncodeToString(b[:])
}

// clip keeps a client's own text short in an answer to it.
func clip(text string) string { return text[:min(len(text), 100)] }
