// Package kwokusage has what KWOK's objects say of use (kwok.x-k8s.io/v1alpha1): ResourceUsage and ClusterResourceUsage, which
// declare what containers use, and Metric, which adds paths to kubelets' endpoints. Expressions are KWOK's CEL. They are bounded in
// length, and, with those that they ask for, in cost and time: what goes beyond is passed over until its object changes. What is
// wrong in an object counts as not said, and is told once.
package kwokusage

import (
	"cmp"
	"fmt"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/kwok/pkg/apis/internalversion"
	"sigs.k8s.io/kwok/pkg/apis/v1alpha1"
)

// Set is the objects of now. It is safe for many goroutines.
type Set struct {
	// Tell is told what is wrong with an object, once: a sentence that names it. The pod is the one that it was met with, or
	// nil. It is for the time before the first object.
	Tell func(pod *corev1.Pod, wrong string)

	once     sync.Once
	language *language
	broken   error

	mu      sync.RWMutex
	byPod   map[string]*declaration // ResourceUsages, by namespace/name
	cluster []*declaration          // ClusterResourceUsages, by name
	metrics []*Metric               // by name
	told    map[string]bool
}

// declaration is an object that says what containers use.
type declaration struct {
	version
	object   string // as sentences name it
	selector *internalversion.ObjectSelector
	usages   []usage
}

// usage is for some containers; for all that no other one of its object is for, where it names none.
type usage struct {
	containers []string
	amounts    map[string]*Amount
}

// Amount is how much of a resource is used.
type Amount struct {
	object     string
	value      float64
	expression *Expression // if there is one
	wrong      error
	fuse       fuse
}

// Moves says that the amount may be another one later though its subject has stayed the same.
func (a *Amount) Moves() bool { return a.expression != nil && a.expression.moves }

// version is which object something has been read from: what it says is read again only when that changes.
type version struct {
	uid        types.UID
	generation int64
}

func versionOf(o metav1.Object) version { return version{o.GetUID(), o.GetGeneration()} }

// same says that v is known to be of the same.
func (v version) same(other version) bool { return v.uid != "" && v == other }

// speak makes the language when it is first needed.
func (s *Set) speak() (*language, error) {
	s.once.Do(func() { s.language, s.broken = newLanguage() })
	return s.language, s.broken
}

// read compiles an expression.
func (s *Set) read(text string) (*Expression, error) {
	l, err := s.speak()
	if err != nil {
		return nil, err
	}
	return l.compile(text)
}

// Change puts in force what has been read. Reading is what takes time.
type Change func()

// ReadResourceUsages reads all ResourceUsages that there are now. Those of before stay in force until the change is made.
func (s *Set) ReadResourceUsages(list []*v1alpha1.ResourceUsage) Change {
	s.mu.RLock()
	known := s.byPod
	s.mu.RUnlock()
	byPod := make(map[string]*declaration, len(list))
	for _, o := range list {
		name := o.Namespace + "/" + o.Name
		byPod[name] = s.declare(known[name], versionOf(o), "ResourceUsage "+name, nil, o.Spec.Usages)
	}
	return s.change(func() { s.byPod = byPod })
}

// ReadClusterResourceUsages is ReadResourceUsages of ClusterResourceUsages.
func (s *Set) ReadClusterResourceUsages(list []*v1alpha1.ClusterResourceUsage) Change {
	known := map[string]*declaration{}
	s.mu.RLock()
	for _, d := range s.cluster {
		known[d.object] = d
	}
	s.mu.RUnlock()
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b *v1alpha1.ClusterResourceUsage) int { return cmp.Compare(a.Name, b.Name) })
	cluster := make([]*declaration, 0, len(list))
	for _, o := range list {
		selector := &internalversion.ObjectSelector{}
		if o.Spec.Selector != nil {
			*selector = internalversion.ObjectSelector{MatchNamespaces: o.Spec.Selector.MatchNamespaces,
				MatchNames: o.Spec.Selector.MatchNames}
		}
		object := "ClusterResourceUsage " + o.Name
		cluster = append(cluster, s.declare(known[object], versionOf(o), object, selector, o.Spec.Usages))
	}
	return s.change(func() { s.cluster = cluster })
}

// change is one of the fields that mu guards. What is wrong may be told again after it.
func (s *Set) change(set func()) Change {
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		set()
		s.told = nil
	}
}

// declare reads an object, unless it is known.
func (s *Set) declare(known *declaration, v version, object string, selector *internalversion.ObjectSelector,
	usages []v1alpha1.ResourceUsageContainer) *declaration {
	if known != nil && v.same(known.version) {
		return known
	}
	d := &declaration{version: v, object: object, selector: selector}
	for _, u := range usages {
		made := usage{containers: u.Containers, amounts: make(map[string]*Amount, len(u.Usage))}
		for resource, value := range u.Usage {
			made.amounts[resource] = s.amount(object+": "+resource, value)
		}
		d.usages = append(d.usages, made)
	}
	return d
}

func (s *Set) amount(object string, value v1alpha1.ResourceUsageValue) *Amount {
	a := &Amount{object: object}
	switch {
	case value.Value != nil && value.Value.Sign() < 0:
		a.wrong = fmt.Errorf("%s is less than nothing", value.Value)
	case value.Value != nil:
		a.value = value.Value.AsApproximateFloat64()
	case value.Expression != nil:
		a.expression, a.wrong = s.read(*value.Expression)
	default:
		a.wrong = fmt.Errorf("neither a value nor an expression is there")
	}
	return a
}

// Find is what is said of a container's use of a resource: by the ResourceUsage of its pod's name, or else by the first
// ClusterResourceUsage by name that selects the pod; nil: nothing that can be read.
func (s *Set) Find(pod *corev1.Pod, container, resource string) *Amount {
	s.mu.RLock()
	found, wrong := s.find(pod, container, resource)
	s.mu.RUnlock()
	for _, a := range wrong {
		s.tell(pod, a.object, a.wrong)
	}
	return found
}

func (s *Set) find(pod *corev1.Pod, container, resource string) (found *Amount, wrong []*Amount) {
	if len(s.byPod) == 0 && len(s.cluster) == 0 {
		return nil, nil
	}
	is := func(d *declaration) bool {
		switch a := d.of(container, resource); {
		case a == nil:
		case a.wrong != nil:
			wrong = append(wrong, a)
		default:
			found = a
		}
		return found != nil
	}
	if own := s.byPod[pod.Namespace+"/"+pod.Name]; own != nil && is(own) {
		return found, wrong
	}
	for _, d := range s.cluster {
		if d.selector.Match(pod.Name, pod.Namespace) && is(d) {
			break
		}
	}
	return found, wrong
}

// of is what a declaration says of a container.
func (d *declaration) of(container, resource string) *Amount {
	var general *Amount
	for _, u := range d.usages {
		a := u.amounts[resource]
		switch {
		case a == nil:
		case slices.Contains(u.containers, container):
			return a
		case len(u.containers) == 0 && general == nil:
			general = a
		}
	}
	return general
}

// At is an amount at the subject's time; false: it cannot be told, as its expression fails.
func (s *Set) At(a *Amount, subject Subject) (float64, bool) {
	if a.expression == nil {
		return a.value, true
	}
	s.language.mu.Lock()
	defer s.language.mu.Unlock()
	return s.Within(a, subject)
}

// Within is At for those whom an expression asks while it is evaluated.
func (s *Set) Within(a *Amount, subject Subject) (float64, bool) {
	if a.expression == nil {
		return a.value, true
	}
	var n float64
	err := s.language.under(&a.fuse, func() (err error) {
		if n, err = s.language.number(a.expression, subject); err == nil && n < 0 {
			err = fmt.Errorf("the expression's value is %v, less than nothing", n)
		}
		return err
	})
	if err != nil && !s.language.exhausted() { // else who asks has taken too much
		s.tell(subject.Pod, a.object, err)
	}
	return n, err == nil
}

// mostTold are kept apart, so that an expression whose error always differs does not fill logs.
const mostTold = 100

func (s *Set) tell(pod *corev1.Pod, object string, err error) {
	s.mu.Lock()
	again := s.told[object] || len(s.told) >= mostTold
	if s.told == nil {
		s.told = map[string]bool{}
	}
	if !again {
		s.told[object] = true
	}
	s.mu.Unlock()
	if !again && s.Tell != nil {
		s.Tell(pod, fmt.Sprintf("%s counts as not said: %v", object, err))
	}
}
