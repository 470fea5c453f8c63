package api

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// FaultVerb is the verb that puts a fault of RecordFaults in force: `tripod fault TARGET`. Reset takes it back.
const FaultVerb = "fault"

// The kinds of targets of RecordFaults.
const (
	KindUpdate   = "update"   // a cluster's next update: update/demo
	KindCapacity = "capacity" // a zone's instances: capacity/b
	KindDisk     = "disk"     // a zone's: disk/b
	KindSpot     = "spot"     // a spot instance: spot/i-0123456789abcdef0
	KindPod      = "pod"      // pod/default/web-0
	KindNode     = "node"     // a node or its instance: node/ip-10-0-0-10.ec2.internal
	KindAWS      = "aws"      // an operation of AWS's APIs, or all of a service: aws/ec2:DescribeInstances, aws/eks:*
	KindEtcd     = "etcd"     // a cluster's etcd member in a zone: etcd/b

	KindAPIServer = "apiserver" // a cluster's API server in a zone: apiserver/b
)

// RecordFault is a kind of fault that no signal can make: of a record of the region's, of an object in a cluster, or of what a
// process of a zone works with.
type RecordFault struct {
	Kind string
	// Name says what is behind the kind and "/", as people read it: NAMESPACE/NAME.
	Name string
	// Words are the faults that a target can have, one of which is said behind it. None: it has one, and nothing is said.
	Words []FaultWord
	// Several says that several words may be said, separated by commas.
	Several bool
	// Options are those of FaultOrder that it takes, by the names of their flags.
	Options []string
	// Region says that the region itself keeps it, since the zones could write nothing down while it is in force.
	Region bool

	// The words of the command line: an example of its arguments, and what it does, in one sentence without an end.
	Example, Help string
}

// FaultWord is one of the faults that a target can have: "crash-loop", "exit=3".
type FaultWord struct {
	Name string
	// Value is what may be behind the name and "=", as people read it: N, or one of "memory|disk|pid". In brackets it may be
	// left out, and empty means that there is none.
	Value string
	Help  string
	// Once says that it happens and is over, so that nothing of it can be taken back.
	Once bool

	valid func(value string) bool
}

// The options of a FaultOrder, by the names of their flags.
const (
	OptionCluster      = "cluster"
	OptionInstanceType = "instance-type"
	OptionInstances    = "instances"
	OptionAction       = "action"
	OptionRebalance    = "rebalance"
	OptionPercentage   = "percentage"
	OptionPrincipal    = "principal"
	OptionFor          = "for"
)

// RecordFaults are the kinds of faults that no signal can make: the one list of them, in the order of the help. What
// each does is in package az (faults_records.go).
var RecordFaults = []RecordFault{
	{Kind: KindUpdate, Name: "CLUSTER", Example: "update/demo",
		Help: "the next update of the cluster's control plane fails in its last zone, and all go back"},
	{Kind: KindCapacity, Name: "ZONE", Options: []string{OptionInstanceType, OptionInstances, OptionFor},
		Example: "capacity/b --instance-type m5.large",
		Help:    "the zone has no more than --instances (0) of the type, or of all: launches fail for want of capacity"},
	{Kind: KindDisk, Name: "ZONE", Options: []string{OptionCluster, OptionFor}, Region: true,
		Example: "disk/b failing --for 30s", Help: "the disk of the zone's etcd members and voter, or of a --cluster's member, is not well",
		Words: diskFaults},
	{Kind: KindSpot, Name: "INSTANCE", Options: []string{OptionAction, OptionRebalance},
		Example: "spot/i-0123456789abcdef0",
		Help:    "EC2 takes the spot instance, or the node's of that name, back in two minutes, and tells it so"},
	{Kind: KindPod, Name: "NAMESPACE/NAME", Options: []string{OptionCluster, OptionFor}, Several: true,
		Example: "pod/default/web-0 crash-loop --for 2m", Help: "the pod is not well", Words: podFaults},
	{Kind: KindNode, Name: "NAME", Options: []string{OptionCluster, OptionFor},
		Example: "node/ip-10-0-14-219.ec2.internal not-ready", Help: "the node, or its instance, is not well",
		Words: nodeFaults},
	{Kind: KindAWS, Name: "SERVICE:OPERATION", Options: []string{OptionPercentage, OptionPrincipal, OptionFor},
		Example: "aws/ec2:DescribeInstances throttle --percentage 30 --for 5m",
		Help:    "calls of the operation fail or wait, in every zone: all, or --percentage of them, or those of --principal",
		Words:   callFaults},
	{Kind: KindEtcd, Name: "ZONE", Options: []string{OptionCluster, OptionFor}, Example: "etcd/b data-lost --cluster demo",
		Help: "the cluster's etcd member in the zone is not well, or loses its data", Words: etcdFaults},
	{Kind: KindAPIServer, Name: "ZONE", Options: []string{OptionCluster, OptionFor}, Example: "apiserver/b overloaded --for 2m",
		Help: "the cluster's API server in the zone is not well", Words: serverFaults},
}

// The faults of an API server that others than RecordFaults name, beside FaultLatency.
const (
	FaultOverloaded         = "overloaded"
	FaultClock              = "clock"
	FaultCertificateExpired = "certificate-expired"
)

var serverFaults = []FaultWord{
	{Name: FaultOverloaded, Help: "ordinary users' requests wait for a seat that never gets free, and end with 429"},
	{Name: FaultLatency, Value: "DURATION", Help: "all requests are answered so much later, 1m at most: 'slow' does that too",
		valid: isLatency(mostLatency)},
	{Name: FaultClock, Value: "DURATION", Help: "the clock by which it verifies AWS's tokens is wrong by that: +20m, -1h", valid: isSkew},
	{Name: FaultCertificateExpired, Help: "it shows a certificate that has expired"},
}

// mostSkew is more than a clock can be wrong by before every certificate is, too.
const mostSkew = 24 * time.Hour

// The faults of an etcd member that others than RecordFaults name.
const (
	FaultDataLost    = "data-lost"
	FaultDataCorrupt = "data-corrupt"
	FaultNoSpace     = "nospace"
	FaultDefragment  = "defragment"
	FaultCompact     = "compact"
)

var etcdFaults = []FaultWord{
	{Name: FaultDataLost, Help: "its data directory is deleted: 'heal' replaces it by a new member"},
	{Name: FaultDataCorrupt, Help: "a byte of its log is overwritten, so that it refuses to start: 'heal' replaces it"},
	{Name: FaultNoSpace, Help: "the alarm is raised that its database is full: the cluster takes no writes"},
	{Name: FaultDefragment, Help: "it writes its database anew, and answers nobody meanwhile", Once: true},
	{Name: FaultCompact, Help: "etcd forgets all revisions but the newest: watches of older ones begin anew", Once: true},
}

// The faults of a disk. It can be slow beside one of the others, of which it has one at a time.
const (
	DiskFailing  = "failing"
	DiskFull     = "full"
	DiskReadOnly = "read-only"
)

var diskFaults = []FaultWord{
	{Name: DiskFailing, Help: "what is synced fails: EIO"},
	{Name: DiskFull, Help: "what makes a file grow, and a new file, fails: ENOSPC"},
	{Name: DiskReadOnly, Help: "what writes fails: EROFS"},
	{Name: FaultLatency, Value: "DURATION", Help: "each sync takes so much longer, 1m at most, as by 'slow'", valid: isLatency(mostLatency)},
}

// podFaults are those that the simulated kubelets play (package nodes/podlife).
var podFaults = []FaultWord{
	{Name: "crash-loop", Help: "its processes end with 1 as soon as they run"},
	{Name: "exit", Value: "N", Help: "they end with N as soon as they run", valid: isExitCode},
	{Name: "oom-kill", Help: "the kernel kills them as soon as they run"},
	{Name: "image-pull", Help: "its images cannot be pulled"},
	{Name: "not-ready", Help: "its readiness probes fail"},
	{Name: "slow-start", Value: "[DURATION]", Help: "its probes fail for so long (30s) after a start", valid: isDuration},
	{Name: FaultLatency, Value: "DURATION", Help: "what it sends over the network arrives so much later", valid: isLatency(mostLatency)},
	{Name: "jitter", Value: "DURATION", Help: "give or take so much, beside latency", valid: isLatency(mostLatency)},
	{Name: "loss", Value: "PERCENT", Help: "so much of what it sends is lost, as TCP feels it", valid: isShare},
	{Name: "black-hole", Value: "PORT", Help: "nothing comes to its port, or from it", valid: isPort},
	{Name: "black-hole-to", Value: "PORT", Help: "it reaches that port of nobody", valid: isPort},
	{Name: "cpu-stress", Value: "PERCENT", Help: "its containers use so much of their CPU limits, or of their node's CPUs", valid: isShare},
	{Name: "memory-stress", Value: "PERCENT", Help: "likewise of memory", valid: isShare},
	{Name: "no-dns", Help: "it finds no name: no DNS server answers it"},
}

// The faults of a node that others than RecordFaults name.
const (
	FaultPressure  = "pressure"
	FaultNotReady  = "not-ready"
	FaultTerminate = "terminate"
	FaultStop      = "stop"
	FaultImpair    = "impair"
)

// Pressures are what a node can be short of, as FaultPressure takes them.
var Pressures = []string{"memory", "disk", "pid"}

var nodeFaults = []FaultWord{
	{Name: FaultPressure, Value: strings.Join(Pressures, "|"), Help: "it is short of that, or of several with commas",
		valid: isPressure},
	{Name: FaultNotReady, Help: "its kubelet stops reporting"},
	{Name: FaultTerminate, Help: "its instance is terminated", Once: true},
	{Name: FaultStop, Help: "its instance is stopped"},
	{Name: FaultImpair, Help: "its instance answers nobody, and fails its status checks"},
}

// The faults of calls of AWS's APIs that others than RecordFaults name.
const (
	FaultThrottle    = "throttle"
	FaultInternal    = "internal-error"
	FaultUnavailable = "unavailable"
	FaultLatency     = "latency"
)

var callFaults = []FaultWord{
	{Name: FaultThrottle, Help: "they are refused as calls that come too often, in the service's own words"},
	{Name: FaultInternal, Help: "they meet the service's internal error"},
	{Name: FaultUnavailable, Help: "the service is unavailable to them"},
	{Name: FaultLatency, Value: "DURATION", Help: "they wait so long, 15m at most, and are answered then", valid: isLatency(mostCallLatency)},
}

// mostCallLatency is longer than any client waits.
const mostCallLatency = 15 * time.Minute

// SpotActions are what can happen to a spot instance that EC2 takes back.
var SpotActions = []string{"terminate", "stop", "hibernate"}

// Slower is the fault of a disk, an API server or a call that takes so much longer.
func Slower(latency time.Duration) string { return FaultLatency + "=" + latency.String() }

// DiskLatency is how much longer syncs take by a fault of a disk; 0: that is another.
func DiskLatency(fault string) time.Duration {
	value, slow := strings.CutPrefix(fault, FaultLatency+"=")
	latency, err := time.ParseDuration(value)
	if !slow || err != nil {
		return 0
	}
	return latency
}

// FaultOrder asks for a fault of RecordFaults, or takes it back: then its options do not count.
type FaultOrder struct {
	Target Target `json:"target"`
	// Fault is one of the kind's words, or several separated by commas where it takes that.
	Fault string `json:"fault,omitempty"`
	// Cluster is whose object the target is. Empty: the only cluster's.
	Cluster string `json:"cluster,omitempty"`
	// InstanceType is whose capacity is meant (empty: that of all types together), and Instances how many there may be.
	InstanceType string `json:"instanceType,omitempty"`
	Instances    int    `json:"instances,omitempty"`
	// Action is one of SpotActions. Empty: the one that the instance was requested with.
	Action string `json:"action,omitempty"`
	// Rebalance recommends a spot instance's replacement and does not take it back.
	Rebalance bool `json:"rebalance,omitempty"`
	// Percentage is the share of calls that the fault meets. 0: all of them.
	Percentage int `json:"percentage,omitempty"`
	// Principal is the ARN of the user, role or session whose calls it meets. Empty: everybody's.
	Principal string `json:"principal,omitempty"`
	// For is after how long the fault ends by itself. 0: it does not.
	For time.Duration `json:"for,omitempty"`
}

// FaultDone is what came of a FaultOrder.
type FaultDone struct {
	// Target is as the status shows it, and Cluster whose it is: empty for targets that are no cluster's.
	Target  string `json:"target"`
	Cluster string `json:"cluster,omitempty"`
	// Said is what is so now: "will fail", a predicate of the target.
	Said string `json:"said"`
	// Final says that it cannot be taken back.
	Final bool `json:"final,omitempty"`
}

// FindRecordFault finds one of RecordFaults by its kind.
func FindRecordFault(kind string) (RecordFault, bool) {
	for _, fault := range RecordFaults {
		if fault.Kind == kind {
			return fault, true
		}
	}
	return RecordFault{}, false
}

// FaultForms are how the targets of RecordFaults are written: update/CLUSTER.
func FaultForms() []string {
	forms := make([]string, len(RecordFaults))
	for i, fault := range RecordFaults {
		forms[i] = fault.Form()
	}
	return forms
}

// Form is how the kind's targets are written.
func (f RecordFault) Form() string { return f.Kind + "/" + f.Name }

// InZone says whether the kind's targets are processes of a zone, so that its agent alone can do something to them. They have
// Verbs too, and Reset takes back both.
func (f RecordFault) InZone() bool { return slices.Contains(TargetKinds, f.Kind) }

// ByRecord says whether a verb for targets of a kind concerns faults of RecordFaults alone. Processes have those too, which
// Reset takes back with all else.
func ByRecord(kind, verb string) bool {
	fault, found := FindRecordFault(kind)
	return found && (verb == FaultVerb || !fault.InZone())
}

// Noun is what a target of the kind is, behind "a" or "an".
func (f RecordFault) Noun() string {
	switch f.Kind {
	case KindAWS:
		return "call"
	case KindEtcd:
		return "member of etcd"
	case KindAPIServer:
		return "server of the API"
	}
	return f.Kind
}

// Form is how the word is written: exit=N.
func (w FaultWord) Form() string {
	switch {
	case w.Value == "":
		return w.Name
	case strings.HasPrefix(w.Value, "["):
		return w.Name + "[=" + w.Value[1:]
	}
	return w.Name + "=" + w.Value
}

// ParseFaultTarget reads a target of RecordFaults.
func ParseFaultTarget(text string) (Target, error) {
	kind, name, _ := strings.Cut(text, "/")
	fault, found := FindRecordFault(kind)
	if !found {
		if slices.Contains(TargetKinds, kind) {
			return Target{}, fmt.Errorf("%q is a process, and no record: use kill, pause or stop, or write %s", text,
				orList(FaultForms()))
		}
		return Target{}, fmt.Errorf("%q has no fault: write %s", text, orList(FaultForms()))
	}
	if !likeForm(name, fault.Name) {
		return Target{}, fmt.Errorf("%q is no target of a fault: write %s, such as %s", text, fault.Form(),
			strings.Fields(fault.Example)[0])
	}
	return Target{Kind: kind, Name: name}, nil
}

// likeForm says whether a name has the parts of a form such as NAMESPACE/NAME or SERVICE:OPERATION, and none is empty.
func likeForm(name, form string) bool {
	separator := "/"
	if strings.Contains(form, ":") {
		separator = ":"
	}
	parts := strings.Split(name, separator)
	return len(parts) == strings.Count(form, separator)+1 && !slices.Contains(parts, "") &&
		(separator == "/" || !strings.Contains(name, "/"))
}

// Check says, in one sentence, what is wrong with an order that puts a fault in force, whatever there is in the region.
func (o FaultOrder) Check() error {
	target, err := ParseFaultTarget(o.Target.String())
	if err != nil {
		return err
	}
	kind, _ := FindRecordFault(target.Kind)
	for _, option := range o.options() {
		if !slices.Contains(kind.Options, option) {
			return fmt.Errorf("%s takes no --%s: that is for %s", target, option, orList(formsWith(option)))
		}
	}
	words, err := kind.parse(target, o.Fault)
	if err != nil {
		return err
	}
	for _, word := range words {
		if word.Once && o.For != 0 {
			return fmt.Errorf("%s happens once and takes no --%s", word.Name, OptionFor)
		}
	}
	switch {
	case o.For < 0:
		return fmt.Errorf("--%s %v is no time that passes: write it as 30s or 5m", OptionFor, o.For)
	case o.Instances < 0:
		return fmt.Errorf("--%s %d is no number of instances: use 0 or more", OptionInstances, o.Instances)
	case o.Percentage < 0 || o.Percentage > 100:
		return fmt.Errorf("--%s %d is no share of calls: use 1 to 100", OptionPercentage, o.Percentage)
	case o.Principal != "" && !strings.HasPrefix(o.Principal, "arn:"):
		return fmt.Errorf("--%s %q is no ARN: write that of a user, a role or a session, such as arn:aws:iam::111122223333:role/NAME",
			OptionPrincipal, o.Principal)
	case o.Action != "" && !slices.Contains(SpotActions, o.Action):
		return fmt.Errorf("--%s %q is nothing that EC2 does: use %s", OptionAction, o.Action, orList(SpotActions))
	case o.Action != "" && o.Rebalance:
		return fmt.Errorf("use --%s or --%s, not both: a recommendation takes nothing back", OptionAction, OptionRebalance)
	}
	return nil
}

// parse reads what is said behind a target.
func (f RecordFault) parse(target Target, text string) (words []FaultWord, err error) {
	if len(f.Words) == 0 {
		if text != "" {
			return nil, fmt.Errorf("%s has one fault only, and %q says nothing of it: leave it out", target, text)
		}
		return nil, nil
	}
	forms := make([]string, len(f.Words))
	for i, word := range f.Words {
		forms[i] = word.Form()
	}
	if text == "" {
		return nil, fmt.Errorf("%s has several faults: say which behind it: %s", target, orList(forms))
	}
	said := []string{text}
	if f.Several {
		said = strings.Split(text, ",")
	}
	for _, one := range said {
		word, found := f.find(strings.TrimSpace(one))
		if !found {
			return nil, fmt.Errorf("%q is no fault of a %s: use %s", one, f.Noun(), orList(forms))
		}
		words = append(words, word)
	}
	return words, nil
}

// find finds the word that text is, with its value.
func (f RecordFault) find(text string) (FaultWord, bool) {
	name, value, valued := strings.Cut(text, "=")
	for _, word := range f.Words {
		if word.Name != name {
			continue
		}
		if !valued {
			return word, word.Value == "" || strings.HasPrefix(word.Value, "[")
		}
		return word, word.valid != nil && word.valid(value)
	}
	return FaultWord{}, false
}

// options are the names of those that the order has.
func (o FaultOrder) options() (names []string) {
	for name, has := range map[string]bool{OptionCluster: o.Cluster != "", OptionInstanceType: o.InstanceType != "",
		OptionInstances: o.Instances != 0, OptionAction: o.Action != "", OptionRebalance: o.Rebalance,
		OptionPercentage: o.Percentage != 0, OptionPrincipal: o.Principal != "", OptionFor: o.For != 0} {
		if has {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func formsWith(option string) (forms []string) {
	for _, fault := range RecordFaults {
		if slices.Contains(fault.Options, option) {
			forms = append(forms, fault.Form())
		}
	}
	return forms
}

// orList is "a, b or c".
func orList(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}
