package kubestate

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// upstreamCase is a case of kube-state-metrics' own tests.
type upstreamCase struct {
	Object   json.RawMessage
	Families []string // patterns; none: all
	Labels   []string
	Want     []string
}

// newObjects make the objects of the files in testdata, and have their kinds.
var newObjects = map[string]struct {
	of   source
	make func() any
}{
	"certificatesigningrequest":      {requests, func() any { return &request{} }},
	"configmap":                      {configMaps, func() any { return &metadata{} }},
	"cronjob":                        {cronJobs, func() any { return &cronJob{} }},
	"daemonset":                      {daemonSets, func() any { return &daemonSet{} }},
	"deployment":                     {deployments, func() any { return &deployment{} }},
	"endpoints":                      {endpointSets, func() any { return &endpoints{} }},
	"endpointslice":                  {endpointSlices, func() any { return &endpointSlice{} }},
	"horizontalpodautoscaler":        {autoscalers, func() any { return &autoscaler{} }},
	"ingress":                        {ingresses, func() any { return &ingress{} }},
	"ingressclass":                   {ingressClasses, func() any { return &ingressClass{} }},
	"job":                            {jobs, func() any { return &job{} }},
	"lease":                          {leases, func() any { return &lease{} }},
	"limitrange":                     {limitRanges, func() any { return &limitRange{} }},
	"mutatingwebhookconfiguration":   {mutatingWebhooks, func() any { return &mutating{} }},
	"namespace":                      {namespaces, func() any { return &namespace{} }},
	"networkpolicy":                  {networkPolicies, func() any { return &networkPolicy{} }},
	"node":                           {nodes, func() any { return &node{} }},
	"persistentvolume":               {volumes, func() any { return &volume{} }},
	"persistentvolumeclaim":          {claims, func() any { return &claim{} }},
	"pod":                            {pods, func() any { return &pod{} }},
	"poddisruptionbudget":            {budgets, func() any { return &budget{} }},
	"replicaset":                     {replicaSets, func() any { return &replicaSet{} }},
	"resourcequota":                  {quotas, func() any { return &quota{} }},
	"secret":                         {secrets, func() any { return &metadata{} }},
	"service":                        {services, func() any { return &service{} }},
	"statefulset":                    {statefulSets, func() any { return &statefulSet{} }},
	"storageclass":                   {storageClasses, func() any { return &storageClass{} }},
	"validatingwebhookconfiguration": {validatingWebhooks, func() any { return &validating{} }},
	"volumeattachment":               {attachments, func() any { return &attachment{} }},
}

// leftOut are families that are told to nobody who has not asked kube-state-metrics for them, and a secret's type, for which one
// would have to read what the secret holds.
var leftOut = regexp.MustCompile(`^kube_(\w+_(annotations|labels)|secret_type|persistentvolume_csi_attributes|pod_nodeselectors)$`)

// TestTextIsKubeStateMetrics tells what kube-state-metrics' own tests are about, and has what they want, with its help and types.
func TestTextIsKubeStateMetrics(t *testing.T) {
	files, err := filepath.Glob("testdata/kube-state-metrics/*.jsonl")
	if err != nil || len(files) != len(newObjects) {
		t.Fatalf("%d files, %v: want %d", len(files), err, len(newObjects))
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".jsonl")
		t.Run(name, func(t *testing.T) {
			kind := newObjects[name]
			for i, c := range readCases(t, file) {
				object := kind.make()
				if err := json.Unmarshal(c.Object, object); err != nil {
					t.Fatal(err)
				}
				got := c.only(strings.Split(strings.TrimSpace(tellOne(t, kind.of, object)), "\n"), false)
				if diff := cmp.Diff(c.only(c.Want, true), got); diff != "" {
					t.Errorf("case %d of %s (-want +got):\n%s", i+1, file, diff)
				}
			}
		})
	}
}

func readCases(t *testing.T, file string) (cases []upstreamCase) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var c upstreamCase
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		cases = append(cases, c)
	}
	return cases
}

// tellOne is the text of all families of one object.
func tellOne(t *testing.T, of source, object any) string {
	t.Helper()
	all := &packed{}
	zip := gzip.NewWriter(io.Discard)
	text := newText(of.heads(), zip, all)
	if !of.tell(object, text) {
		t.Fatalf("a %T is told by nobody", object)
	}
	if err := all.take(text); err != nil {
		t.Fatal(err)
	}
	if err := all.flush(zip); err != nil {
		t.Fatal(err)
	}
	return plainText(t, &Answer{packed: all.parts.Bytes()})
}

func plainText(t *testing.T, answer *Answer) string {
	t.Helper()
	var plain bytes.Buffer
	if _, err := answer.WriteTo(&plain); err != nil {
		t.Fatal(err)
	}
	return plain.String()
}

var (
	lineName  = regexp.MustCompile(`^(?:# (HELP|TYPE) )?(kube_\w+)`)
	stability = regexp.MustCompile(`^(# HELP \w+) \[STABLE\]|\(Deprecated since [^)]*\) `)
)

// only are the lines that the case is about, in order, and with labels in order. wanted ones have marks of stability, and may lack
// the heads of families.
func (c upstreamCase) only(lines []string, wanted bool) []string {
	heads := slices.ContainsFunc(c.Want, func(line string) bool { return strings.HasPrefix(line, "# ") })
	var kept []string
	for _, line := range lines {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		name := lineName.FindStringSubmatch(line)
		labelled := name[2] == "kube_node_labels" && slices.Contains(c.Labels, "*") || name[2] == "kube_volumeattachment_labels"
		if leftOut.MatchString(name[2]) && !labelled || name[1] != "" && !heads || !c.about(line) {
			continue
		}
		if wanted {
			line = stability.ReplaceAllString(line, "$1")
		}
		if name[1] == "" {
			line = sortLabels(line)
		}
		kept = append(kept, line)
	}
	slices.Sort(kept)
	return kept
}

// about is kube-state-metrics' own rule: a name matches anywhere in a line.
func (c upstreamCase) about(line string) bool {
	return len(c.Families) == 0 ||
		slices.ContainsFunc(c.Families, func(name string) bool { return strings.Contains(line, name) })
}

var label = regexp.MustCompile(`\w+="(?:[^"\\]|\\.)*"`)

func sortLabels(line string) string {
	name, rest, found := strings.Cut(line, "{")
	at := strings.LastIndex(rest, "}")
	if !found || at < 0 {
		return line
	}
	labels := label.FindAllString(rest[:at], -1)
	slices.Sort(labels)
	return name + "{" + strings.Join(labels, ",") + "}" + rest[at+1:]
}
