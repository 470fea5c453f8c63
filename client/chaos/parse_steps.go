package chaos

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"tripod/api"
)

// verbs are the keys of steps that are actions: all of the command line's that break something or take it back.
var verbs = append(append(api.VerbNames(), api.LinkVerbs...), api.FaultVerb)

// lift is the verb that takes back what an action does; empty: it leaves nothing that ends by that, as a process that is killed is
// started again by its zone.
func (a *Action) lift() string {
	kind, _, _ := strings.Cut(a.Target, "/")
	switch {
	case a.Verb == api.Partition, a.Verb == api.Slow:
		return api.Heal
	case a.Verb == api.FaultVerb && happensOnce(kind, a.Words):
		return ""
	case a.Verb == api.FaultVerb:
		return api.Reset
	case a.Verb == "kill" && kind != api.KindZone:
		return ""
	}
	v, _ := api.FindVerb(a.Verb)
	return v.Lift
}

// happensOnce says whether a fault is over as soon as it is there, or cannot be taken back: EC2 takes no interruption back.
func happensOnce(kind, words string) bool {
	fault, _ := api.FindRecordFault(kind)
	name, _, _ := strings.Cut(words, "=")
	return kind == api.KindSpot || slices.ContainsFunc(fault.Words, func(w api.FaultWord) bool { return w.Once && w.Name == name })
}

// The options that actions may have beside their verb: all but those that mend nothing, those of links, and fault.
var (
	linkKeys   = []string{"for", "one-way", "reject", "latency", "jitter", "loss", "bandwidth", "share", "flap"}
	faultKeys  = []string{"for", "cluster", api.OptionPercentage, api.OptionPrincipal, api.OptionInstanceType, api.OptionInstances}
	actionKeys = map[string][]string{api.Partition: linkKeys, api.Slow: linkKeys, api.Heal: {"one-way"}, api.FaultVerb: faultKeys}
)

// kinds are the keys that say what a step does that is no action.
var kinds = []string{"wait", "await", "run", "serial", "parallel", "random"}

func (d *document) step(n *yaml.Node) (s Step) {
	f := d.fields(n, "a step", slices.Concat(verbs, kinds, []string{"at", "within", "count", "between"}, linkKeys, faultKeys[1:])...)
	if f == nil {
		return s
	}
	var does []string
	for _, key := range append(slices.Clone(verbs), kinds...) {
		if _, there := f[key]; there {
			does = append(does, key)
		}
	}
	if len(does) != 1 {
		d.wrong(n, "a step does one thing: write one of %s", strings.Join(append(slices.Clone(verbs), kinds...), ", "))
		return s
	}
	s.At = or(d.duration(f["at"]), 0)
	allowed := []string{"at", does[0]}
	switch key := does[0]; key {
	case "wait":
		s.Wait = or(d.duration(f[key]), 0)
	case "await":
		allowed = append(allowed, "within")
		s.Await = d.await(f[key], f["within"])
	case "run":
		if s.Run = d.texts(f[key]); len(s.Run) == 0 && f[key].value.Kind == yaml.SequenceNode {
			d.wrong(f[key].key, "run is a command and its arguments, each in a line of its own or in brackets: [kubectl, get, nodes]")
		}
	case "serial":
		s.Serial = d.steps(f[key])
	case "parallel":
		s.Parallel = d.steps(f[key])
	case "random":
		allowed = append(allowed, "count", "between")
		s.Random = &Random{Of: d.steps(f[key]), Count: or(d.number(f["count"]), 1), Between: or(d.duration(f["between"]), 0)}
	default:
		own, found := actionKeys[key]
		if !found {
			own = []string{"for", "cluster"}
		}
		allowed = append(allowed, own...)
		s.Action = d.action(key, f)
	}
	for key, one := range f {
		if !slices.Contains(allowed, key) {
			d.wrong(one.key, "%s takes no %s", does[0], key)
		}
	}
	return s
}

func (d *document) steps(f field) (all []Step) {
	for _, item := range d.items(f, f.key.Value) {
		all = append(all, d.step(item))
	}
	if len(all) == 0 {
		d.wrong(f.value, "%s has no step", f.key.Value)
	}
	return all
}

func (d *document) await(f, within field) *Await {
	target, condition, _ := strings.Cut(d.text(f), " ")
	if err := checkAwait(target, condition); err != nil {
		d.wrong(f.value, "%v (write a target and a condition, such as region healthy)", err)
	}
	return &Await{Target: target, For: condition, Within: d.some(within)}
}

func (d *document) action(verb string, f map[string]field) *Action {
	target, words, _ := strings.Cut(d.text(f[verb]), " ")
	a := &Action{Verb: verb, Target: target, Words: strings.TrimSpace(words), Cluster: d.text(f["cluster"]), For: or(d.duration(f["for"]), 0)}
	a.Link = api.LinkFault{OneWay: d.truth(f["one-way"]), Reject: d.truth(f["reject"]), Latency: or(d.duration(f["latency"]), 0),
		Jitter: or(d.duration(f["jitter"]), 0), Loss: or(d.percent(f["loss"]), 0), Share: or(d.percent(f["share"]), 0),
		Flap:      or(d.duration(f["flap"]), 0),
		Bandwidth: or(read(d, f["bandwidth"], api.ParseBandwidth, "bits a second, such as 10M or 500k"), 0)}
	a.Order = api.FaultOrder{Percentage: or(d.number(f["percentage"]), 0), Principal: d.text(f["principal"]),
		InstanceType: d.text(f["instance-type"]), Instances: or(d.number(f["instances"]), 0)}
	if err := a.check(); err != nil {
		d.wrong(f[verb].value, "%v", err)
	}
	return a
}

// check says what is wrong with an action, whatever there is in the region.
func (a *Action) check() error {
	kind, name, found := strings.Cut(a.Target, "/")
	if !found || kind == "" || name == "" {
		return fmt.Errorf("%q is not a target: write TYPE/NAME, such as az/b, etcd/leader or link/a-b", a.Target)
	}
	if a.For != 0 && a.lift() == "" {
		return fmt.Errorf("%s %s takes no for: it leaves nothing that could be taken back", a.Verb, a.Target)
	}
	record := api.ByRecord(kind, a.Verb)
	isLink, linkVerb := kind == api.KindLink, slices.Contains(api.LinkVerbs, a.Verb)
	switch {
	case a.Verb == api.FaultVerb || record:
		return a.checkRecord(record)
	case isLink && a.Verb == api.Reset:
		return fmt.Errorf("%s is a link: use %s", a.Target, api.Heal)
	case isLink != linkVerb && isLink:
		return fmt.Errorf("%s is a link: use %s", a.Target, strings.Join(api.LinkVerbs, ", "))
	case isLink != linkVerb:
		return fmt.Errorf("%s is no link: %s is for links, such as link/a-b or link/leader-all", a.Target, a.Verb)
	case isLink && strings.Count(name, "-") != 1:
		return fmt.Errorf("%s is no link: write two ends, such as link/a-b or link/leader-all", a.Target)
	case isLink:
		for end := range strings.SplitSeq(name, "-") {
			if !isZone(end) && end != api.Clients && end != api.AllZones {
				return fmt.Errorf("%s has an end %q: write zones, %s or %s, such as link/a-b", a.Target, end, api.Clients, api.AllZones)
			}
		}
		return a.linkOrder(name).Check()
	case a.Words != "":
		return fmt.Errorf("%s takes one target, and %q is too much", a.Verb, a.Words)
	case !slices.Contains(api.TargetKinds, kind):
		return fmt.Errorf("there are no targets of type %q: the types are %s, %s, %s", kind, strings.Join(api.TargetKinds, ", "),
			api.KindLink, strings.Join(api.FaultForms(), ", "))
	case !isZone(name):
		return fmt.Errorf("there is no zone %q: write a, b, c, %s, %s or %s", name, zoneLeader, zoneFollower, zoneRandom)
	}
	return nil
}

func isZone(name string) bool {
	return slices.Contains(zones, name) || name == zoneLeader || name == zoneFollower || name == zoneRandom
}

func (a *Action) checkRecord(record bool) error {
	if a.Verb != api.FaultVerb && a.Verb != api.Reset {
		return fmt.Errorf("%s is no process: use %s", a.Target, api.FaultVerb)
	}
	target, err := api.ParseFaultTarget(a.Target)
	if err == nil && (target.Kind == api.KindCapacity || target.Kind == api.KindDisk) && !isZone(target.Name) {
		return fmt.Errorf("there is no zone %q: write a, b, c, %s, %s or %s", target.Name, zoneLeader, zoneFollower, zoneRandom)
	}
	if err != nil || !record || a.Verb == api.Reset {
		return err
	}
	return a.faultOrder(target).Check()
}

func (a *Action) linkOrder(link string) api.LinkOrder {
	return api.LinkOrder{Verb: a.Verb, Link: link, LinkFault: a.Link}
}

func (a *Action) faultOrder(target api.Target) api.FaultOrder {
	order := a.Order
	order.Target, order.Fault, order.Cluster = target, a.Words, a.Cluster
	return order
}

// String is the action as on the command line.
func (a *Action) String() string {
	text := a.Verb + " " + a.Target
	if a.Words != "" {
		text += " " + a.Words
	}
	if kind, _, _ := strings.Cut(a.Target, "/"); kind == api.KindLink && a.Verb != api.Heal && a.Verb != api.Reset {
		if _, words, found := strings.Cut(a.Link.Words(a.Verb), ": "); found {
			text += ", " + words
		}
	}
	return text
}
