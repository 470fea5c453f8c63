package kubestate

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// family is what is told of each object of a type under one name.
type family[T any] struct {
	name, help string
	counter    bool // else it is a gauge
	tell       func(*T, *series)
}

// object is a pointer to an object of a type.
type object[T any] interface {
	*T
	metav1.Object
}

// kind is a type of objects.
type kind[T any, P object[T]] struct {
	name string // deployments
	list func(context.Context, Clients, metav1.ListOptions) (runtime.Object, error)
	// labels are those that all series of an object begin with: their names and values by turns.
	labels   func(P) []string
	families []family[T]
}

// source is a kind of any type.
type source interface {
	heads() []head
	// read adds all objects of the cluster to the text.
	read(context.Context, Clients, *text) error
	// tell adds one object to the text; false: it is none of the resource's.
	tell(any, *text) bool
}

func (r kind[T, P]) heads() []head {
	all := make([]head, 0, len(r.families))
	for _, f := range r.families {
		all = append(all, head{f.name, f.help, f.counter})
	}
	return all
}

func (r kind[T, P]) tell(what any, t *text) bool {
	o, ok := what.(*T)
	if ok {
		r.add(o, t)
	}
	return ok
}

func (r kind[T, P]) add(o *T, t *text) {
	t.object(r.labels(P(o)))
	for i, f := range r.families {
		if t.err == nil {
			f.tell(o, t.family(i))
		}
	}
}

// page is how many objects are asked for at once.
const page = 500

func (r kind[T, P]) read(ctx context.Context, clients Clients, t *text) error {
	options := metav1.ListOptions{Limit: page}
	for {
		list, err := r.list(ctx, clients, options)
		if apierrors.IsNotFound(err) {
			return nil // an older version of Kubernetes that has none
		}
		if err != nil {
			return fmt.Errorf("list %s: %w", r.name, err)
		}
		err = meta.EachListItem(list, func(item runtime.Object) error {
			if !r.tell(item, t) {
				return fmt.Errorf("list %s: an item is a %T", r.name, item)
			}
			return errors.Join(t.err, ctx.Err())
		})
		if err == nil {
			err = t.pack()
		}
		if err != nil {
			return err
		}
		more, err := meta.ListAccessor(list)
		if err != nil {
			return err
		}
		if options.Continue = more.GetContinue(); options.Continue == "" {
			return nil
		}
	}
}

// gauge is a family of which each object has one series.
func gauge[T any](name, help string, value func(*T) float64) family[T] {
	return family[T]{name: name, help: help, tell: func(o *T, s *series) { s.add(value(o)) }}
}

// count is a gauge of a field that is an integer.
func count[T any, N ~int | ~int32 | ~int64](name, help string, value func(*T) N) family[T] {
	return gauge(name, help, func(o *T) float64 { return float64(value(o)) })
}

// perhaps is a gauge that objects have of which the field is set.
func perhaps[T any, N ~int32 | ~int64](name, help string, value func(*T) *N) family[T] {
	return family[T]{name: name, help: help, tell: func(o *T, s *series) {
		if n := value(o); n != nil {
			s.add(float64(*n))
		}
	}}
}

// info is a family whose labels say what there is to say.
func info[T any](name, help string, labels func(*T) []string) family[T] {
	return family[T]{name: name, help: help, tell: func(o *T, s *series) { s.add(1, labels(o)...) }}
}

// several is a family of which an object has any number of series.
func several[T any](name, help string, tell func(*T, *series)) family[T] {
	return family[T]{name: name, help: help, tell: tell}
}

// exists is an info without labels of its own.
func exists[T any](name, help string) family[T] {
	return info(name, help, func(*T) []string { return nil })
}

// created and deleted are families that most resources have, by the first part of the names.
func created[T any, P object[T]](prefix string) family[T] {
	return several(prefix+"_created", "Unix creation timestamp", func(o *T, s *series) {
		at := P(o).GetCreationTimestamp()
		s.time(&at)
	})
}

func deleted[T any, P object[T]](prefix string) family[T] {
	return several(prefix+"_deletion_timestamp", "Unix deletion timestamp",
		func(o *T, s *series) { s.time(P(o).GetDeletionTimestamp()) })
}

func generation[T any, P object[T]](prefix, help string) family[T] {
	return count(prefix+"_metadata_generation", help, func(o *T) int64 { return P(o).GetGeneration() })
}

func version[T any, P object[T]](prefix, help string) family[T] {
	return several(prefix+"_metadata_resource_version", help, func(o *T, s *series) { s.number(P(o).GetResourceVersion()) })
}

// owners tells who owns an object; a series of empty labels: nobody.
func owners[T any, P object[T]](prefix, help string, controllers bool) family[T] {
	return several(prefix+"_owner", help, func(o *T, s *series) {
		labels := func(kind, name, controller string) []string {
			all := []string{"owner_kind", kind, "owner_name", name}
			if controllers {
				all = append(all, "owner_is_controller", controller)
			}
			return all
		}
		for _, owner := range P(o).GetOwnerReferences() {
			s.add(1, labels(owner.Kind, owner.Name, word(owner.Controller != nil && *owner.Controller))...)
		}
		if len(P(o).GetOwnerReferences()) == 0 {
			s.add(1, labels("", "", "")...)
		}
	})
}

// namespaced are the labels of objects in namespaces, which have one of the resource's with the name.
func namespaced[P metav1.Object](label string) func(P) []string {
	return func(o P) []string { return []string{"namespace", o.GetNamespace(), label, o.GetName()} }
}

// named are the labels of objects outside of namespaces.
func named[P metav1.Object](label string) func(P) []string {
	return func(o P) []string { return []string{label, o.GetName()} }
}

func identified[P metav1.Object](label string) func(P) []string {
	return func(o P) []string {
		return []string{"namespace", o.GetNamespace(), label, o.GetName(), "uid", string(o.GetUID())}
	}
}
