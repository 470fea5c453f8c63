package kwokusage

import (
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"math/rand/v2"
	"regexp"
	"runtime"
	"sync"
	"time"
	"weak"

	"github.com/google/cel-go/cel"
	"github.com/wzshiming/easycel"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kwokcel "sigs.k8s.io/kwok/pkg/utils/cel"
)

// What an expression may be.
const (
	longestExpression = 4096
	deepest           = 4  // uses of expressions within expressions
	interruptible     = 16 // steps of a loop, between looks at the clock
)

// Subject is what an expression is about, and when. Node and Container may be nil.
type Subject struct {
	Node      *corev1.Node
	Pod       *corev1.Pod
	Container *corev1.Container
	At        time.Time
	Uses      Uses
}

// Question is what an expression asks by Usage and CumulativeUsage: of a node, or of a pod, or of one container of it.
type Question struct {
	Resource   string
	Node       string
	Pod        *corev1.Pod
	Container  string
	Cumulative bool
}

// Uses answers questions. An error says why it cannot.
type Uses func(Question) (float64, error)

// Expression is one that can be evaluated.
type Expression struct {
	text    string
	program cel.Program
	moves   bool
}

// moving are functions by which an expression may have another value later though its subject has stayed the same.
var moving = regexp.MustCompile(`\b(now|Now|Rand|SinceSecond|Usage|CumulativeUsage|startedContainersTotal|StartedContainersTotal)\b`)

// language compiles and evaluates KWOK's expressions, one at a time: what its functions say is of the subject of now.
type language struct {
	env *easycel.Environment

	reading  sync.Mutex
	compiled map[string]weak.Pointer[Expression] // those that somebody has, by text

	mu      sync.Mutex
	subject Subject
	random  *rand.Rand
	depth   int
	allowed *allowance // of what is evaluated; nil: nothing is
}

// newLanguage has KWOK's types, conversions and functions, with the subject's time for the clock's.
func newLanguage() (*language, error) {
	l := &language{compiled: map[string]weak.Pointer[Expression]{}}
	functions := l.functions()
	methods := kwokcel.FuncsToMethods(functions)
	registry := easycel.NewRegistry("kwok.ext", easycel.WithTagName("json"))
	var wrong []error
	for _, convert := range kwokcel.DefaultConversions {
		wrong = append(wrong, registry.RegisterConversion(convert))
	}
	for _, typ := range kwokcel.DefaultTypes {
		wrong = append(wrong, registry.RegisterType(typ))
	}
	for name, value := range map[string]any{"node": corev1.Node{}, "pod": corev1.Pod{}, "container": corev1.Container{}} {
		wrong = append(wrong, registry.RegisterVariable(name, value))
	}
	for name, list := range functions {
		for _, f := range list {
			wrong = append(wrong, registry.RegisterFunction(name, f))
		}
	}
	for name, list := range methods {
		for _, f := range list {
			wrong = append(wrong, registry.RegisterMethod(name, f))
		}
	}
	if err := errors.Join(wrong...); err != nil {
		return nil, err
	}
	var err error
	l.env, err = easycel.NewEnvironment(cel.Lib(registry))
	return l, err
}

// functions are KWOK's (pkg/utils/cel/funcs.go, pkg/kwok/metrics/evaluator.go).
func (l *language) functions() map[string][]any {
	functions := maps.Clone(kwokcel.DefaultFuncs)
	now := func() time.Time { return l.subject.At }
	functions["Now"], functions["now"] = []any{now}, []any{now}
	functions["Rand"] = []any{func() float64 { return l.random.Float64() }}
	since := func(created metav1.Time) float64 { return l.subject.At.Sub(created.Time).Seconds() }
	functions["SinceSecond"] = []any{
		func(node *corev1.Node) float64 { return since(node.CreationTimestamp) },
		func(pod *corev1.Pod) float64 { return since(pod.CreationTimestamp) },
	}
	for name, cumulative := range map[string]bool{"Usage": false, "CumulativeUsage": true} {
		functions[name] = []any{
			func(pod corev1.Pod, resource, container string) (float64, error) {
				return l.ask(Question{Resource: resource, Pod: &pod, Container: container, Cumulative: cumulative})
			},
			func(pod corev1.Pod, resource string) (float64, error) {
				return l.ask(Question{Resource: resource, Pod: &pod, Cumulative: cumulative})
			},
			func(node corev1.Node, resource string) (float64, error) {
				return l.ask(Question{Resource: resource, Node: node.Name, Cumulative: cumulative})
			},
		}
	}
	started := func(node corev1.Node) (float64, error) {
		return l.ask(Question{Resource: StartedContainers, Node: node.Name, Cumulative: true})
	}
	functions["StartedContainersTotal"], functions["startedContainersTotal"] = []any{started}, []any{started}
	return functions
}

// StartedContainers is the resource of a question how many containers have been started on a node.
const StartedContainers = "started-containers"

func (l *language) ask(q Question) (float64, error) {
	if l.subject.Uses == nil {
		return 0, errors.New("what is used is not known here")
	}
	if err := l.allowed.left(); err != nil {
		return 0, err
	}
	l.allowed.spend(questionCost)
	return l.subject.Uses(q)
}

// compile reads an expression, once for all who have the same.
func (l *language) compile(text string) (*Expression, error) {
	if len(text) > longestExpression {
		return nil, fmt.Errorf("the expression has %d characters, and %d may be", len(text), longestExpression)
	}
	l.reading.Lock()
	defer l.reading.Unlock()
	if known := l.compiled[text].Value(); known != nil {
		return known, nil
	}
	program, err := l.env.Program(text, cel.CostTracking(costs{}), cel.CostLimit(mostCost), cel.InterruptCheckFrequency(interruptible))
	if err != nil {
		return nil, fmt.Errorf("the expression is wrong: %w", err)
	}
	x := &Expression{text, program, moving.MatchString(text)}
	l.compiled[text] = weak.Make(x)
	runtime.AddCleanup(x, l.forget, text)
	return x, nil
}

// forget drops an expression that nobody has any more.
func (l *language) forget(text string) {
	l.reading.Lock()
	defer l.reading.Unlock()
	if l.compiled[text].Value() == nil {
		delete(l.compiled, text)
	}
}

// evaluate is what an expression says of a subject. It assumes the lock, and an allowance.
func (l *language) evaluate(x *Expression, s Subject) (kwokcel.Val, error) {
	if err := l.allowed.left(); err != nil {
		return nil, err
	}
	if l.depth == deepest {
		return nil, errors.New("the expression asks for what it says itself")
	}
	before, random := l.subject, l.random
	defer func() { l.subject, l.random, l.depth = before, random, l.depth-1 }()
	l.subject, l.random, l.depth = s, s.random(x.text), l.depth+1
	if s.Node == nil {
		s.Node = &corev1.Node{}
	}
	if s.Pod == nil {
		s.Pod = &corev1.Pod{}
	}
	if s.Container == nil {
		s.Container = &corev1.Container{}
	}
	value, details, err := x.program.ContextEval(l.allowed.ctx, map[string]any{"node": s.Node, "pod": s.Pod, "container": s.Container})
	l.allowed.spent(details, err)
	return value, err
}

// random numbers follow from whom and when an expression is about.
func (s Subject) random(text string) *rand.Rand {
	h := fnv.New64a()
	fmt.Fprint(h, text)
	if s.Pod != nil {
		fmt.Fprint(h, "/", s.Pod.Namespace, "/", s.Pod.Name)
	}
	if s.Container != nil {
		fmt.Fprint(h, "/", s.Container.Name)
	}
	return rand.New(rand.NewPCG(h.Sum64(), uint64(s.At.UnixNano())))
}

// number is an expression's value as a number. It assumes the lock, and an allowance.
func (l *language) number(x *Expression, s Subject) (float64, error) {
	value, err := l.evaluate(x, s)
	if err != nil {
		return 0, err
	}
	n, err := kwokcel.AsFloat64(value)
	switch {
	case err != nil:
		return 0, fmt.Errorf("the expression's value is a %s, no number", value.Type().TypeName())
	case math.IsNaN(n) || math.IsInf(n, 0):
		return 0, fmt.Errorf("the expression's value is %v", n)
	}
	return n, nil
}
