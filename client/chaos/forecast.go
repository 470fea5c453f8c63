package chaos

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"tripod/api"
	"tripod/client/chaos/report"
)

// forecast is what a plan's faults would hurt, as far as the cluster tells, and what was seen of it.
type forecast struct {
	findings []report.Finding
	// expected and worst are how many pods of a workload were Ready at the begin, and at the worst.
	expected, worst map[string]int
}

// The label of a node's zone.
const zoneLabel = "topology.kubernetes.io/zone"

type node struct {
	Metadata struct {
		Name   string            `json:"name"`
		Labels map[string]string `json:"labels"`
	} `json:"metadata"`
	conditions
}

type pod struct {
	Metadata struct {
		Name      string            `json:"name"`
		Namespace string            `json:"namespace"`
		Labels    map[string]string `json:"labels"`
		Owners    []struct {
			Kind string `json:"kind"`
			Name string `json:"name"`
		} `json:"ownerReferences"`
	} `json:"metadata"`
	Spec struct {
		Node string `json:"nodeName"`
	} `json:"spec"`
	conditions
}

// workload is what a pod is one of: default/web (a Deployment's name, not its ReplicaSet's). Pods of DaemonSets and of nothing have none.
func (p pod) workload() string {
	for _, owner := range p.Metadata.Owners {
		name := owner.Name
		switch owner.Kind {
		case "ReplicaSet":
			if hash := p.Metadata.Labels["pod-template-hash"]; hash != "" {
				name = strings.TrimSuffix(name, "-"+hash)
			}
		case "StatefulSet":
		default:
			continue
		}
		return p.Metadata.Namespace + "/" + name
	}
	return ""
}

// readyOf counts the Ready pods of each workload.
func readyOf(pods []pod) map[string]int {
	ready := map[string]int{}
	for _, p := range pods {
		if name := p.workload(); name != "" {
			ready[name] += p.ready()
		}
	}
	return ready
}

// look takes what is Ready now, and keeps the worst.
func (f *forecast) look(pods []pod) {
	ready := readyOf(pods)
	for name := range f.expected {
		f.worst[name] = min(f.worst[name], ready[name])
	}
}

// Forecast says what a plan would hurt, before anything is broken.
func (e *Experiment) Forecast(ctx context.Context, region Region, plan *Plan, o Options) ([]report.Finding, error) {
	own := *e
	if err := own.complete(); err != nil {
		return nil, err
	}
	r := &run{experiment: &own, plan: plan, region: region, report: &report.Report{}, say: func(string, ...any) {}}
	if err := r.connect(ctx, o); err != nil {
		return nil, err
	}
	f, err := r.foresee(ctx)
	if err != nil {
		return nil, err
	}
	return f.findings, nil
}

func (r *run) foresee(ctx context.Context) (*forecast, error) {
	f := &forecast{expected: map[string]int{}, worst: map[string]int{}}
	away := map[string]bool{}
	most := together(r.plan.Steps, map[string]bool{}, away)
	if most > len(zones)/2 {
		f.add("quorum", "", "%d of %d zones are away at once: etcd has no majority, and writes fail until one is back", most, len(zones))
	}
	var nodes struct{ Items []node }
	var pods struct{ Items []pod }
	var budgets struct {
		Items []struct {
			Metadata struct{ Name, Namespace string }
			Status   struct {
				DisruptionsAllowed int `json:"disruptionsAllowed"`
				ExpectedPods       int `json:"expectedPods"`
			}
		}
	}
	var volumes struct{ Items []volume }
	calls := r.kube.client(true)
	defer calls.CloseIdleConnections()
	for path, into := range map[string]any{"/api/v1/nodes": &nodes, "/api/v1/pods": &pods, "/api/v1/persistentvolumes": &volumes,
		"/apis/policy/v1/poddisruptionbudgets": &budgets} {
		if err := r.kube.do(ctx, calls, http.MethodGet, path, nil, into); err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
	}
	zoneOf := map[string]string{}
	for _, n := range nodes.Items {
		zoneOf[n.Metadata.Name] = n.Metadata.Labels[zoneLabel]
	}
	f.expected = readyOf(pods.Items)
	f.worst = maps.Clone(f.expected)
	in := map[string]map[string]int{} // pods by workload and zone
	for _, p := range pods.Items {
		if name := p.workload(); name != "" && p.Spec.Node != "" {
			if in[name] == nil {
				in[name] = map[string]int{}
			}
			in[name][zoneOf[p.Spec.Node]]++
		}
	}
	for _, name := range slices.Sorted(maps.Keys(in)) {
		if at := slices.Collect(maps.Keys(in[name])); len(at) == 1 && r.touches(away, at[0]) {
			f.add("workload", name, "%s in %s: it is gone with the zone until its pods are made elsewhere", allOf(in[name][at[0]]), at[0])
		}
	}
	for _, b := range budgets.Items {
		if len(away) > 0 && b.Status.DisruptionsAllowed == 0 && b.Status.ExpectedPods > 0 {
			f.add("pdb", b.Metadata.Namespace+"/"+b.Metadata.Name, "it allows no disruption: nodes with its pods cannot be drained")
		}
	}
	for _, v := range volumes.Items {
		if at := v.zones(); len(at) == 1 && r.touches(away, at[0]) && v.Spec.Claim.Name != "" {
			f.add("volume", v.Spec.Claim.Namespace+"/"+v.Spec.Claim.Name, "its volume is in %s: who uses it waits for the zone", at[0])
		}
	}
	now := time.Now()
	seen, err := r.readRepeats(ctx, now.Add(-auditPast), now)
	if err != nil {
		f.add(kindClient, "", "whether clients repeat what fails is not known: %v", err)
	}
	f.addClients(seen)
	return f, nil
}

func allOf(n int) string {
	if n == 1 {
		return "its only pod is"
	}
	return fmt.Sprintf("all of its %d pods are", n)
}

func (f *forecast) add(kind, object, why string, args ...any) {
	f.findings = append(f.findings, report.Finding{Kind: kind, Object: object, Why: fmt.Sprintf(why, args...)})
}

// compare says what came of the findings, and adds what nobody foresaw. lostQuorum is nil where nobody knows.
func (f *forecast) compare(lostQuorum *bool) []report.Finding {
	foreseen := map[string]bool{}
	for i := range f.findings {
		one := &f.findings[i]
		switch one.Kind {
		case "quorum":
			if lostQuorum != nil {
				one.Came = map[bool]string{true: "it was lost", false: "it was not lost"}[*lostQuorum]
			}
		case "workload":
			foreseen[one.Object] = true
			one.Came = fmt.Sprintf("at the worst %d of %d pods were Ready", f.worst[one.Object], f.expected[one.Object])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f.expected)) {
		if f.expected[name] > 0 && f.worst[name] == 0 && !foreseen[name] {
			f.findings = append(f.findings, report.Finding{Kind: "workload", Object: name, Why: "nobody foresaw it",
				Came: fmt.Sprintf("none of its %d pods was Ready at the worst", f.expected[name])})
		}
	}
	return f.findings
}

// touches says whether a zone, by its name, is away at some time.
func (r *run) touches(away map[string]bool, zone string) bool {
	letter := zone
	for i, name := range r.report.Zones {
		if name == zone {
			letter = zones[i]
		}
	}
	return away[letter] || away[zoneLeader] || away[zoneFollower]
}

type volume struct {
	Spec struct {
		Claim    struct{ Name, Namespace string } `json:"claimRef"`
		Affinity struct {
			Required struct {
				Terms []struct {
					Expressions []struct {
						Key    string
						Values []string
					} `json:"matchExpressions"`
				} `json:"nodeSelectorTerms"`
			} `json:"required"`
		} `json:"nodeAffinity"`
	} `json:"spec"`
}

// zones are those that a volume can be used in; none: in all.
func (v volume) zones() (at []string) {
	for _, term := range v.Spec.Affinity.Required.Terms {
		for _, e := range term.Expressions {
			if e.Key == zoneLabel || strings.HasSuffix(e.Key, "/zone") {
				at = append(at, e.Values...)
			}
		}
	}
	return at
}

// together is how many zones at most are away at the same time, as far as a plan tells: now are those that are away at its begin and
// then at its end, and away gets each that is away at some time. Steps side by side count as being in force together.
func together(steps []Step, now, away map[string]bool) (most int) {
	for _, s := range steps {
		switch {
		case s.Action != nil:
			zone, isAway, comes := s.Action.zoneAway()
			if isAway {
				was := now[zone]
				now[zone], away[zone] = true, true
				most = max(most, len(now))
				if s.Action.For != 0 && !was {
					delete(now, zone)
				}
			}
			if comes {
				delete(now, zone)
			}
		case len(s.Parallel) > 0:
			some, left := maps.Clone(now), map[string]bool{}
			for _, side := range s.Parallel {
				own := maps.Clone(now)
				together([]Step{side}, own, some)
				maps.Copy(left, own)
			}
			most = max(most, len(some))
			maps.Copy(away, some)
			maps.Copy(now, left)
		default:
			most = max(most, together(s.Serial, now, away))
		}
	}
	return most
}

// zoneAway says which zone an action takes away, or brings back.
func (a *Action) zoneAway() (zone string, away, back bool) {
	kind, name, _ := strings.Cut(a.Target, "/")
	switch {
	case kind == api.KindZone:
		lifts := a.lift() == ""
		return name, !lifts, lifts
	case kind == api.KindLink && a.Verb == api.Partition && strings.HasSuffix(name, "-"+api.AllZones):
		return strings.TrimSuffix(name, "-"+api.AllZones), true, false
	case kind == api.KindLink:
		return strings.TrimSuffix(name, "-"+api.AllZones), false, a.Verb == api.Heal || a.Verb == api.Reset
	}
	return "", false, false
}
