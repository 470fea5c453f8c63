package kubeletapi

import (
	"maps"
	"math"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"

	"tripod/nodes/curve"
	"tripod/nodes/kwokusage"
	"tripod/nodes/podhttp"
	"tripod/nodes/podlife"
	"tripod/nodes/podset"
)

// use of a container, a pod or a node.
type use struct {
	coreNanos uint64 // since its start
	nanoCores uint64 // now
	memory    uint64 // bytes now

	throttled uint64 // core-nanoseconds that it wanted and did not get
	refused   uint64 // periods in which it was throttled
}

func (u use) add(other use) use {
	return use{u.coreNanos + other.coreNanos, u.nanoCores + other.nanoCores, u.memory + other.memory, u.throttled + other.throttled,
		u.refused + other.refused}
}

// accounts are how much CPU has been used. A container's is a function of time as long as what is declared of it stays the
// same; only when that changes, and while an expression says it, is it an account, so that it grows on from where it is.
type accounts struct {
	traffic  func(types.UID, time.Time) podhttp.Traffic
	capacity func(node string) corev1.ResourceList
	node     func(name string) *corev1.Node // nil where it is not known
	kwok     *kwokusage.Set

	mu   sync.Mutex
	pods map[types.UID]map[string]account // by container
	gone map[string]uint64                // core-nanoseconds of what has ended, by node
}

type account struct {
	at        time.Time
	used      float64 // core-nanoseconds until then
	throttled float64 // likewise, that were wanted and not got
	refused   float64 // periods with some
	requests  uint64  // that were counted until then
}

// until is the account at a later time, if so many cores are wanted.
func (b account) until(to time.Time, wanted curve.Curve, limit float64) account {
	if !to.After(b.at) {
		return b
	}
	got := wanted.Within(0, limit).Sum(b.at, to)
	b.used += got * 1e9
	if !math.IsInf(limit, 1) {
		if above := wanted.Above(limit, b.at, to); above > 0 {
			b.refused += above / quotaPeriod.Seconds()
			b.throttled += max(0, wanted.Sum(b.at, to)-got) * 1e9
		}
	}
	b.at = to
	return b
}

func newAccounts(c Config) *accounts {
	a := &accounts{traffic: c.HTTP.Requests().Traffic, capacity: c.capacity, node: c.Object, kwok: c.KWOK,
		pods: map[types.UID]map[string]account{}, gone: map[string]uint64{}}
	if a.node == nil {
		a.node = func(string) *corev1.Node { return nil }
	}
	if a.kwok == nil {
		a.kwok = &kwokusage.Set{}
	}
	return a
}

// of is the use of a running container.
func (a *accounts) of(pod *corev1.Pod, s *corev1.ContainerStatus, now time.Time) use {
	a.mu.Lock()
	defer a.mu.Unlock()
	u, _ := a.locked(pod, s, now)
	return u
}

// locked is the use of a running container, and its account.
func (a *accounts) locked(pod *corev1.Pod, s *corev1.ContainerStatus, now time.Time) (use, account) {
	c := podset.Container(pod, s.Name)
	if c == nil || s.State.Running == nil {
		return use{}, account{}
	}
	var capacity corev1.ResourceList
	stress := podlife.StressOf(pod)
	if stress != (podlife.Stress{}) { // else nobody asks
		capacity = a.capacity(pod.Spec.NodeName)
	}
	d := a.demandOf(pod, c, stress, capacity)
	since := account{at: s.State.Running.StartedAt.Time, used: startCPU}
	if known, ok := a.pods[pod.UID][s.Name]; ok && !known.at.Before(since.at) {
		since = known
	}
	wanted := d.cpu
	if d.amount != nil {
		since, wanted = a.sampled(pod, c, d, since, now)
	}
	wanted = wanted.Within(d.least, math.Inf(1))
	total := since.until(now, wanted, d.limit)
	if d.amount != nil {
		a.keep(pod.UID, s.Name, total)
	}
	rate, memory := wanted.Within(0, d.limit).At(now)*1e9, d.memory(now)
	if d.eachRequest > 0 || d.eachMemory > 0 {
		t := a.traffic(pod.UID, now)
		total.used += d.eachRequest * float64(t.Requests-min(since.requests, t.Requests))
		total.requests = t.Requests
		rate += d.eachRequest * t.PerSecond
		memory = podset.Memory(c, float64(memory)+d.eachMemory*t.PerSecond)
	}
	return use{uint64(total.used), uint64(rate), memory, uint64(total.throttled), uint64(total.refused)}, total
}

// sampled brings an account up to the slot of now by what KWOK's objects say of each slot, and says what is wanted in this
// one.
func (a *accounts) sampled(pod *corev1.Pod, c *corev1.Container, d demand, since account, now time.Time) (account, curve.Curve) {
	at := func(t time.Time) curve.Curve {
		return curve.Constant(a.amountAt(d.amount, pod, c, t, podset.Usual(c, corev1.ResourceCPU)))
	}
	if !d.amount.Moves() {
		return since, at(now)
	}
	this, each := now.Truncate(slot), slot
	if span := this.Sub(since.at); span > mostSlots*slot {
		each = (span / mostSlots).Truncate(slot) + slot
	}
	for next := since.at.Truncate(each).Add(each); since.at.Before(this); next = next.Add(each) {
		if next.After(this) {
			next = this
		}
		since = since.until(next, at(since.at).Within(d.least, math.Inf(1)), d.limit)
	}
	return since, at(now)
}

// keep assumes the lock.
func (a *accounts) keep(pod types.UID, container string, b account) {
	if a.pods[pod] == nil {
		a.pods[pod] = map[string]account{}
	}
	a.pods[pod][container] = b
}

// changed keeps the books when a pod changes: old and current are as of podset.Set.OnChange.
func (a *accounts) changed(old, current *corev1.Pod, now time.Time) {
	if old == nil {
		return
	}
	if current != nil && maps.Equal(usageAnnotations(old), usageAnnotations(current)) && sameRuns(old, current) &&
		podlife.StressOf(old) == podlife.StressOf(current) && !a.byKWOK(old) &&
		maps.EqualFunc(requestsOf(old), requestsOf(current), sameResources) {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	books := map[string]account{}
	for s := range podset.Running(old) {
		used, book := a.locked(old, s, now)
		if current != nil {
			if after := podset.Status(current, s.Name); after != nil && after.State.Running != nil &&
				after.State.Running.StartedAt.Equal(&s.State.Running.StartedAt) {
				books[s.Name] = a.asked(old, book, now)
				continue
			}
		}
		a.gone[old.Spec.NodeName] += used.coreNanos
	}
	if len(books) == 0 {
		delete(a.pods, old.UID)
		return
	}
	a.pods[old.UID] = books
}

// asked is an account that counts the requests until now, also those of a pod that they have cost nothing so far.
func (a *accounts) asked(pod *corev1.Pod, b account, now time.Time) account {
	b.requests = a.traffic(pod.UID, now).Requests
	return b
}

// byKWOK says that an object of KWOK's decides about a pod's CPU.
func (a *accounts) byKWOK(pod *corev1.Pod) bool {
	for i := range pod.Spec.Containers {
		if a.kwok.Find(pod, pod.Spec.Containers[i].Name, string(corev1.ResourceCPU)) != nil {
			return true
		}
	}
	return false
}

// settle closes the accounts of pods as of now, before a change of what is declared of them.
func (a *accounts) settle(pods []*corev1.Pod, now time.Time, change kwokusage.Change) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, pod := range pods {
		for s := range podset.Running(pod) {
			_, book := a.locked(pod, s, now)
			a.keep(pod.UID, s.Name, a.asked(pod, book, now))
		}
	}
	change()
}

// sameRuns says whether the same containers run since the same times.
func sameRuns(a, b *corev1.Pod) bool { return maps.Equal(runs(a), runs(b)) }

func runs(pod *corev1.Pod) map[string]int64 {
	found := map[string]int64{}
	for s := range podset.Running(pod) {
		found[s.Name] = s.State.Running.StartedAt.UnixNano()
	}
	return found
}

func requestsOf(pod *corev1.Pod) map[string]corev1.ResourceRequirements {
	found := map[string]corev1.ResourceRequirements{}
	for i := range pod.Spec.Containers {
		found[pod.Spec.Containers[i].Name] = pod.Spec.Containers[i].Resources
	}
	return found
}

func sameResources(a, b corev1.ResourceRequirements) bool {
	same := func(a, b corev1.ResourceList) bool {
		return maps.EqualFunc(a, b, func(a, b resource.Quantity) bool { return a.Cmp(b) == 0 })
	}
	return same(a.Requests, b.Requests) && same(a.Limits, b.Limits)
}

// forgetNode drops what a node has used that has gone.
func (a *accounts) forgetNode(node string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.gone, node)
}

// endedOn is what has been used on a node by what has ended there, in core-nanoseconds.
func (a *accounts) endedOn(node string) uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.gone[node]
}
