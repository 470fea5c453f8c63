package chaos

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"tripod/api"
	"tripod/client"
)

// zoneRandom, zoneLeader and zoneFollower stand where a zone's letter stands.
const (
	zoneRandom   = "random"
	zoneLeader   = "leader"
	zoneFollower = "follower"
)

// zones are the letters of a region's zones.
var zones = []string{"a", "b", "c"}

var wordName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// Parse reads an experiment. The name of the file is for the errors, each of which says the line and the column. set are words for
// ${name} beside, or in place of, those in the file's with; where one is random, the seed draws a zone.
func Parse(file string, text []byte, set map[string]string, seed uint64) (*Experiment, error) {
	d := &document{file: file}
	root := d.root(text)
	if root == nil {
		return nil, d.err()
	}
	e := d.experiment(root, set, seed)
	if err := d.err(); err != nil {
		return nil, err
	}
	return e, nil
}

func (d *document) experiment(n *yaml.Node, set map[string]string, seed uint64) *Experiment {
	keys := []string{"name", "title", "teaches", "cluster", "with", "steady", "hypothesis", "method", "stop", "recovery"}
	f := d.fields(n, "an experiment", keys...)
	if f == nil {
		return nil
	}
	e, with := &Experiment{}, d.with(f["with"], set, seed)
	for key, one := range f {
		if key != "with" {
			d.expand(one.value, with)
		}
	}
	e.Name, e.Title, e.Teaches, e.Cluster = d.text(f["name"]), d.text(f["title"]), d.text(f["teaches"]), d.text(f["cluster"])
	if !wordName.MatchString(e.Name) {
		d.wrong(n, "an experiment has a name of small letters, digits and dashes: write name: lose-a-zone")
	}
	e.Steady = d.some(f["steady"])
	if recovery, given := f["recovery"]; given {
		e.Within = d.some(d.fields(recovery.value, "recovery", "within")["within"])
	}
	for _, item := range d.items(f["hypothesis"], "hypothesis") {
		e.Probes = append(e.Probes, d.probe(item, e.Probes))
	}
	for _, item := range d.items(f["method"], "method") {
		e.Method = append(e.Method, d.step(item))
	}
	for _, item := range d.items(f["stop"], "stop") {
		e.Stop = append(e.Stop, d.stop(item, e.Probes))
	}
	if len(e.Method) == 0 {
		d.wrong(n, "the experiment breaks nothing: write a method")
	} else if err := checkSize(e.Method); err != nil {
		d.wrong(f["method"].key, "%v", err)
	}
	return e
}

// with are words that stand as ${name} in the experiment's texts. The word random is one of the zones, by the seed.
func (d *document) with(f field, set map[string]string, seed uint64) map[string]string {
	with := map[string]string{}
	if f.value != nil && f.value.Kind != yaml.MappingNode {
		d.wrong(f.value, "with is a mapping of words: write zone: b")
	} else if f.value != nil {
		for i := 0; i+1 < len(f.value.Content); i += 2 {
			with[f.value.Content[i].Value] = d.text(field{f.value.Content[i], f.value.Content[i+1]})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(set)) {
		if _, known := with[name]; !known {
			d.faults = append(d.faults, fault{text: fmt.Sprintf("%s has no word %q: its words are %s", d.file, name,
				strings.Join(slices.Sorted(maps.Keys(with)), ", "))})
		}
		with[name] = set[name]
	}
	random := rand.New(rand.NewPCG(seed, 0))
	for _, name := range slices.Sorted(maps.Keys(with)) {
		if with[name] == zoneRandom {
			with[name] = zones[random.IntN(len(zones))]
		}
	}
	return with
}

// probeKeys are the keys that a type of probe has beside those that all have; the first is its own, which must be there.
var probeKeys = map[string][]string{
	ProbeAPI: {"kept"}, ProbeWrites: {"kept"}, ProbeWatch: nil, ProbeAWS: {"operation"}, ProbeHTTP: {"url"}, ProbeCommand: {"run"},
	ProbeCondition: {"path", "condition"}, ProbeRegion: {"condition"}, ProbeMetrics: {"query"},
}

func (d *document) probe(n *yaml.Node, before []Probe) Probe {
	all := []string{"probe", "type", "every", "timeout", "kept", "url", "run", "path", "operation", "condition", "query",
		"expect"}
	f := d.fields(n, "a probe", all...)
	p := Probe{Name: d.text(f["probe"]), Type: d.text(f["type"]), Kept: d.truth(f["kept"]), URL: d.text(f["url"]), Run: d.texts(f["run"]),
		Path: d.text(f["path"]), Operation: d.text(f["operation"]), Condition: d.text(f["condition"]),
		Query:   d.text(f["query"]),
		Every:   or(d.duration(f["every"]), DefaultEvery),
		Timeout: or(d.duration(f["timeout"]), DefaultTimeout)}
	if p.Name == "" {
		p.Name = p.Type
	}
	own, known := probeKeys[p.Type]
	switch {
	case f == nil:
		return p
	case !known:
		d.wrong(n, "%q is no type of a probe: use %s", p.Type, strings.Join(slices.Sorted(maps.Keys(probeKeys)), ", "))
		return p
	case slices.ContainsFunc(before, func(other Probe) bool { return other.Name == p.Name }):
		d.wrong(n, "there are two probes with the name %q: write probe: NAME", p.Name)
	case p.Every < 10*time.Millisecond || p.Timeout < 10*time.Millisecond:
		d.wrong(n, "every and timeout are 10ms or more")
	}
	for key, one := range f {
		if !slices.Contains(own, key) && slices.Contains([]string{"kept", "url", "run", "path", "operation", "condition", "query"}, key) {
			d.wrong(one.key, "a probe of type %s has no %s", p.Type, key)
		}
	}
	for _, key := range own {
		if _, there := f[key]; !there && key != "kept" && key != "operation" {
			d.wrong(n, "a probe of type %s needs %s", p.Type, key)
			return p
		}
	}
	if err := p.check(); err != nil {
		d.wrong(n, "%v", err)
	}
	if expect, there := f["expect"]; there {
		p.Expect = d.expectation(expect, p.Type)
	}
	return p
}

// check says what is wrong with the values of a probe's own keys.
func (p *Probe) check() error {
	switch p.Type {
	case ProbeAWS:
		if p.Operation == "" {
			p.Operation = "sts:GetCallerIdentity"
		}
		if _, found := awsOperations[p.Operation]; !found {
			return fmt.Errorf("operation %q is none that a probe calls: use %s", p.Operation, strings.Join(AWSOperations(), ", "))
		}
	case ProbeCommand:
		if len(p.Run) == 0 {
			return errors.New("run is a command and its arguments: [kubectl, get, --raw, /livez]")
		}
	case ProbeRegion:
		target, condition, found := strings.Cut(p.Condition, " ")
		if !found {
			return fmt.Errorf("condition %q is not understood: write a target and a condition of 'tripod wait', such as region quorum",
				p.Condition)
		}
		return checkAwait(target, condition)
	case ProbeMetrics:
		if strings.TrimSpace(p.Query) == "" {
			return errors.New(`query is empty: write a comparison in PromQL, such as sum(up{job="apiserver"}) >= 2`)
		}
	case ProbeHTTP:
		if !strings.HasPrefix(p.URL, "http://") && !strings.HasPrefix(p.URL, "https://") {
			return fmt.Errorf("url %q is not understood: write http://HOST:PORT/PATH", p.URL)
		}
	case ProbeCondition:
		if !strings.HasPrefix(p.Path, "/api") {
			return fmt.Errorf("path %q is no object's: write /apis/apps/v1/namespaces/default/deployments/web", p.Path)
		}
	}
	return nil
}

func checkAwait(target, condition string) error {
	if !slices.Contains(client.Conditions, condition) {
		return fmt.Errorf("%q is no condition: use %s", condition, strings.Join(client.Conditions, ", "))
	}
	if target == "region" {
		return nil
	}
	_, err := api.ParseTarget(target)
	return err
}

func (d *document) expectation(f field, kind string) (e Expectation) {
	keys := []string{"availability", "failures", "gap", "p50", "p99", "lost"}
	if kind != ProbeWrites && kind != ProbeWatch {
		keys = keys[:5]
	}
	of := d.fields(f.value, "expect", keys...)
	e.Availability, e.Failures, e.Gap = d.percent(of["availability"]), d.number(of["failures"]), d.duration(of["gap"])
	e.P50, e.P99, e.Lost = d.duration(of["p50"]), d.duration(of["p99"]), d.number(of["lost"])
	return e
}

func (d *document) stop(n *yaml.Node, probes []Probe) Stop {
	f := d.fields(n, "stop", "probe", "gap", "failures")
	s := Stop{Probe: d.text(f["probe"]), Gap: or(d.duration(f["gap"]), 0), Failures: or(d.number(f["failures"]), 0)}
	switch {
	case f == nil:
	case !slices.ContainsFunc(probes, func(p Probe) bool { return p.Name == s.Probe }):
		d.wrong(n, "there is no probe %q in the hypothesis", s.Probe)
	case s.Gap == 0 && s.Failures == 0:
		d.wrong(n, "say when to stop: gap: 30s or failures: 100")
	}
	return s
}
