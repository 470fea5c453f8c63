// Package kwokusage has what KWOK's objects say of use (kwok.x-k8s.io/v1alpha1): ResourceUsage and ClusterResourceUsage, which
// declare what containers use, and Metric, which adds paths to kubelets' endpoints. Expressions are KWOK's CEL, bounded in
// length and cost. What is wrong in an object counts as not said, and is told once.
package kwokusage

import (
	"cmp"
	"fmt"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
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
	byPod   map[string]declaration // ResourceUsages, by namespace/name
	cluster []declaration          // ClusterResourceUsages, by name
	metrics []*Metric              // by name
	told    map[string]bool
}

// declaration is an object that says what containers use.
type declaration struct {
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
}

// Moves says that the amount may be another one later though its subject has stayed the same.
func (a *Amount) Moves() bool { return a.expression != nil && a.expression.moves }

// read compiles an expression. The language is made when the first object comes.
func (s *Set) read(text string) (*Expression, error) {
	s.once.Do(func() { s.language, s.broken = newLanguage() })
	if s.broken != nil {
		return nil, s.broken
	}
	return s.language.compile(text)
}

// SetResourceUsages takes all ResourceUsages that there are now.
func (s *Set) SetResourceUsages(list []*v1alpha1.ResourceUsage) {
	byPod := make(map[string]declaration, len(list))
	for _, o := range list {
		name := o.Namespace + "/" + o.Name
		byPod[name] = s.declare("ResourceUsage "+name, nil, o.Spec.Usages)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byPod, s.told = byPod, nil
}

// SetClusterResourceUsages takes all ClusterResourceUsages that there are now.
func (s *Set) SetClusterResourceUsages(list []*v1alpha1.ClusterResourceUsage) {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b *v1alpha1.ClusterResourceUsage) int { return cmp.Compare(a.Name, b.Name) })
	cluster := make([]declaration, 0, len(list))
	for _, o := range list {
		selector := &internalversion.ObjectSelector{}
		if o.Spec.Selector != nil {
			*selector = internalversion.ObjectSelector{MatchNamespaces: o.Spec.Selector.MatchNamespaces,
				MatchNames: o.Spec.Selector.MatchNames}
		}
		cluster = append(cluster, s.declare("ClusterResourceUsage "+o.Name, selector, o.Spec.Usages))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cluster, s.told = cluster, nil
}

func (s *Set) declare(object string, selector *internalversion.ObjectSelector, usages []v1alpha1.ResourceUsageContainer) declaration {
	d := declaration{object: object, selector: selector}
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
	is := func(d declaration) bool {
		switch a := d.of(container, resource); {
		case a == nil:
		case a.wrong != nil:
			wrong = append(wrong, a)
		default:
			found = a
		}
		return found != nil
	}
	if is(s.byPod[pod.Namespace+"/"+pod.Name]) {
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
func (d declaration) of(container, resource string) *Amount {
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
	n, err := s.language.number(a.expression, subject)
	if err == nil && n < 0 {
		err = fmt.Errorf("the expression's value is %v, less than nothing", n)
	}
	if err != nil {
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
