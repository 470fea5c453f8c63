package kwokusage

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/kwok/pkg/apis/v1alpha1"
)

// asking is an expression that asks 1,600 times for a resource.
func asking(resource string) string {
	list := "[" + strings.TrimSuffix(strings.Repeat("1,", 40), ",") + "]"
	return fmt.Sprintf(`%s.all(a, %s.all(b, pod.Usage(%q) >= 0.0)) ? 1.0 : 2.0`, list, list, resource)
}

// versioned is of a version that the API server would tell.
func versioned(o *v1alpha1.ResourceUsage, generation int64) *v1alpha1.ResourceUsage {
	o.UID, o.Generation = types.UID(o.Name), generation
	return o
}

// Expressions that ask for each other have one budget together, and are not tried again before their object changes.
func TestExpressionsThatAskForEachOtherShareOneBudget(t *testing.T) {
	pod := newPod("web", nil)
	s, told := newSet()
	declare := func(generation int64) {
		o := versioned(usageOf("web", "cpu", asking("b")), generation)
		for resource, next := range map[string]string{"b": "c", "c": "d", "d": ""} {
			text := asking(next)
			if next == "" {
				text = "1"
			}
			o.Spec.Usages[0].Usage[resource] = v1alpha1.ResourceUsageValue{Expression: &text}
		}
		s.ReadResourceUsages([]*v1alpha1.ResourceUsage{o, versioned(usageOf("db", "cpu", "1"), generation)})()
	}
	asked := 0
	about := subject(pod)
	about.Uses = func(q Question) (float64, error) {
		asked++
		if n, ok := s.Within(s.Find(pod, "c", q.Resource), about); ok {
			return n, nil
		}
		return 0, errors.New("it is not known")
	}
	tell := func() (float64, bool) { return s.At(s.Find(pod, "c", "cpu"), about) }
	declare(1)
	if n, ok := tell(); ok || asked == 0 || asked > mostCost/questionCost {
		t.Errorf("got %v after %d questions", n, asked)
	}
	const want = "ResourceUsage default/web: cpu counts as not said: its expressions, with those that they ask for, go over the cost limit"
	if len(*told) != 1 || !strings.Contains((*told)[0], want) {
		t.Errorf("told %q", *told)
	}
	before, toldBefore := asked, len(*told)
	declare(1) // nothing has changed
	if _, ok := tell(); ok || asked != before || len(*told) != toldBefore+1 {
		t.Errorf("%d questions more, told %q", asked-before, (*told)[toldBefore:])
	}
	declare(2)
	if _, ok := tell(); ok || asked == before {
		t.Error("it is not tried again after its object has changed")
	}
	if n, ok := s.At(s.Find(newPod("db", nil), "c", "cpu"), about); !ok || n != 1 {
		t.Errorf("the other object says %v", n)
	}
}

// What hides from its own result that it went too far is found out all the same.
func TestAnExpressionCannotHideWhatItCosts(t *testing.T) {
	s, _ := newSet()
	s.setResourceUsages([]*v1alpha1.ResourceUsage{usageOf("web", "cpu", strings.Replace(asking("b"), ">= 0.0", ">= 0.0 || true", 1))})
	pod := newPod("web", nil)
	if n, ok := s.At(s.Find(pod, "c", "cpu"), subject(pod)); ok {
		t.Errorf("got %v", n)
	}
}

// A machine that was busy once does not take an object away; one that is late again and again is passed over.
func TestExpressionsHaveATimeTogether(t *testing.T) {
	pod := newPod("web", nil)
	for late, want := range map[int]bool{0: true, mostTries - 1: true, mostTries: false} {
		s, told := newSet()
		s.setResourceUsages([]*v1alpha1.ResourceUsage{usageOf("web", "cpu", `pod.Usage("b")`)})
		asked := 0
		about := subject(pod)
		about.Uses = func(Question) (float64, error) {
			if asked++; asked <= late {
				<-s.language.allowed.ctx.Done() // it takes all of its time
			}
			return 1, nil
		}
		for range 2 {
			if _, ok := s.At(s.Find(pod, "c", "cpu"), about); ok != want {
				t.Errorf("late %d times: told: %v", late, ok)
			}
		}
		if !want && (asked != late || len(*told) != 1 || !strings.Contains((*told)[0], "take more than 100ms, 3 times in a row")) {
			t.Errorf("asked %d times, told %q", asked, *told)
		}
	}
}

// A long text costs what reading it takes.
func TestQuantitiesCostByTheirLength(t *testing.T) {
	s, told := newSet()
	s.setResourceUsages([]*v1alpha1.ResourceUsage{usageOf("web", "cpu", `Quantity(pod.metadata.annotations["long"])`)})
	pod := newPod("web", map[string]string{"long": strings.Repeat("1", 10*mostCost+10)})
	if _, ok := s.At(s.Find(pod, "c", "cpu"), subject(pod)); ok || len(*told) != 1 || !strings.Contains((*told)[0], "cost limit") {
		t.Errorf("told %.300q", *told)
	}
}

// A change reads only what has changed, and the same text once.
func TestOnlyWhatChangesIsRead(t *testing.T) {
	s, _ := newSet()
	declare := func(generation int64, text string) (db, web *Amount) {
		s.setResourceUsages([]*v1alpha1.ResourceUsage{
			versioned(usageOf("db", "cpu", "1 + 2"), 1), versioned(usageOf("web", "cpu", text), generation)})
		return s.Find(newPod("db", nil), "c", "cpu"), s.Find(newPod("web", nil), "c", "cpu")
	}
	db, web := declare(1, "1 + 2")
	if db == web || db.expression != web.expression {
		t.Error("the same text is compiled twice")
	}
	dbAfter, webAfter := declare(2, "3 + 4")
	if db != dbAfter || web == webAfter {
		t.Error("what stays the same is read again, or what changes is not")
	}
	change := s.ReadResourceUsages(nil)
	if s.Find(newPod("db", nil), "c", "cpu") != db {
		t.Error("reading alone changes what is said")
	}
	change()
	if s.Find(newPod("db", nil), "c", "cpu") != nil {
		t.Error("the change is not made")
	}
	runtime.KeepAlive(web)
	db, web, dbAfter, webAfter = nil, nil, nil, nil
	for deadline := time.Now().Add(10 * time.Second); ; runtime.Gosched() {
		runtime.GC()
		s.language.reading.Lock()
		left := len(s.language.compiled)
		s.language.reading.Unlock()
		if left == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d texts are still kept that nobody has", left)
		}
	}
}
