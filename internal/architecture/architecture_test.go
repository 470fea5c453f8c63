package architecture

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the packages into docs/architecture.md")

// layers are all packages but commands, from the top down: a package imports only packages of layers below its own. A
// pattern that ends in /... is a folder's packages.
var layers = []struct {
	name     string
	packages []string
}{
	{"the program", []string{"cmd/tripod"}},
	{"the command line", []string{"internal/cli", "pods/podexec"}},
	{"the command line", []string{"internal/proxy"}},
	{"the region", []string{"emulator"}},
	{"a zone's agent", []string{"az"}},
	{"a zone's agent", []string{"az/controlplane"}},
	{"a zone's agent", []string{"az/addressing", "az/balancing", "az/machines", "az/volumes"}},
	{"the AWS endpoint", []string{"awsapi/apitest"}},
	{"the AWS endpoint", []string{"awsapi"}},
	{"the AWS endpoint", []string{"awsapi/eks"}},
	{"the AWS endpoint", []string{"awsapi/arczonalshift", "awsapi/autoscaling", "awsapi/efs", "awsapi/elb", "awsapi/fis"}},
	{"the AWS endpoint", []string{
		"awsapi/acm", "awsapi/cloudwatch", "awsapi/ec2", "awsapi/eksauth", "awsapi/iamapi", "awsapi/kms", "awsapi/logs", "awsapi/pricing",
		"awsapi/ssm", "awsapi/sts",
	}},
	{"the AWS endpoint", []string{"awsapi/events"}},
	{"the AWS endpoint", []string{"awsapi/sqs"}},
	{"parts of a zone", []string{"apiserver", "az/explain", "az/gateway", "az/vended", "az/zonetest"}},
	{"parts of a zone", []string{"apiserver/cloud", "apiserver/election", "az/instance", "lb/node"}},
	{"who may do what", []string{"awsapi/operation"}},
	{"who may do what", []string{"iam"}},
	{"the domain, and how zones are laid out", []string{"region", "az/plan"}},
	{"a region as others see it", []string{"client/tripodtest"}},
	{"a region as others see it", []string{"client/chaos"}},
	{"a region as others see it", []string{"client", "client/chaos/report", "snapshot"}},
	{"what runs in a zone", []string{
		"apiserver/launch", "etcdcluster", "incluster/...", "logs/logship", "nodes", "pods/podidentity", "state",
	}},
	{"what runs in a zone", []string{"incluster/csidriver", "nodes/resourcemetrics"}},
	{"what runs in a zone", []string{"incluster/addons", "nodes/kubeletapi"}},
	{"what runs in a zone", []string{"nodes/logrouter", "nodes/podhttp"}},
	{"tools", []string{
		"awsapi/throttle", "internal/admission", "internal/datadir", "internal/options", "nodes/image", "nodes/network",
		"nodes/ipam", "nodes/kwokusage", "nodes/podfiles", "nodes/podlife", "nodes/podlogs", "nodes/podvolume", "lb/handover",
		"nodes/kubeletauth", "nodes/kubeproxy", "nodes/netpolicy",
	}},
	{"tools", []string{"awsapi/cloudwatch/metricmath"}},
	{"tools", []string{
		"awsapi/cloudwatch/metricdata", "internal/bundle", "internal/cronjobs", "internal/diskfault", "internal/loglevel", "internal/loss",
		"internal/upgrade",
		"lb", "nodes/lazywatch", "nodes/machine",
	}},
	{"tools", []string{
		"api", "docs", "apiserver/...", "awsapi/history", "awsapi/quota", "awsapi/upstream", "awsapi/wire", "internal/...",
		"logs/insights", "logs/logstore",
		"nodes/boot", "nodes/efsvolume", "nodes/fluentbit", "nodes/object", "nodes/podcmd", "nodes/podset",
		"system/histories",
	}},
	{"tools", []string{"internal/sdkclient", "logs/expression", "nodes/curve"}},
}

const module = "tripod/"

type pkg struct {
	ImportPath, Name, Doc string
	Imports               []string
}

// packages are the module's, by their paths without the module's name.
func packages(t *testing.T) map[string]pkg {
	t.Helper()
	list := exec.Command("go", "list", "-json=ImportPath,Name,Doc,Imports", "./...")
	list.Dir = "../.."
	out, err := list.Output()
	if err != nil {
		t.Fatal("go list: ", err)
	}
	all := map[string]pkg{}
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal("read go list's output: ", err)
		}
		all[strings.TrimPrefix(p.ImportPath, module)] = p
	}
}

// layerOf is the index in layers of a package's layer, or -1. An exact name counts before a folder.
func layerOf(name string) int {
	folder := -1
	for i, layer := range layers {
		for _, pattern := range layer.packages {
			dir, isFolder := strings.CutSuffix(pattern, "/...")
			switch {
			case name == pattern:
				return i
			case isFolder && strings.HasPrefix(name, dir+"/") && folder < 0:
				folder = i
			}
		}
	}
	return folder
}

// isCommand says that nobody can import the package: its place is above all others.
func isCommand(name string, p pkg) bool { return p.Name == "main" && name != "cmd/tripod" }

func TestImportsGoDown(t *testing.T) {
	all := packages(t)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if isCommand(name, all[name]) || name == "system" || name == "internal/architecture" {
			continue
		}
		from := layerOf(name)
		if from < 0 {
			t.Errorf("package %s has no layer: add it to layers", name)
			continue
		}
		for _, imported := range all[name].Imports {
			other, ours := strings.CutPrefix(imported, module)
			if !ours {
				continue
			}
			if to := layerOf(other); to <= from {
				t.Errorf("%s, of layer %d (%s), imports %s, of layer %d: imports go down only", name, from+1, layers[from].name,
					other, to+1)
			}
		}
	}
}

// TestFoldersGoOneWay holds for top folders what TestImportsGoDown holds for packages: none of two imports something of
// the other's, whose packages do likewise.
func TestFoldersGoOneWay(t *testing.T) {
	imports := map[[2]string]string{}
	for name, p := range packages(t) {
		for _, imported := range p.Imports {
			if other, ours := strings.CutPrefix(imported, module); ours && folder(name) != folder(other) {
				imports[[2]string{folder(name), folder(other)}] = name + " imports " + other
			}
		}
	}
	for pair, example := range imports {
		if back, both := imports[[2]string{pair[1], pair[0]}]; both && pair[0] < pair[1] {
			t.Errorf("folders %s and %s import one another: %s, and %s", pair[0], pair[1], example, back)
		}
	}
}

// folder is the first part of a package's path. The packages of internal/ are no folder of one purpose.
func folder(name string) string {
	if strings.HasPrefix(name, "internal/") {
		return name
	}
	first, _, _ := strings.Cut(name, "/")
	return first
}

const document = "../../docs/architecture.md"

// TestMapShowsThePackages compares the document's list of packages with what go list says; -update writes it.
func TestMapShowsThePackages(t *testing.T) {
	const begin, end = "<!-- packages: go test ./internal/architecture -update -->\n", "<!-- end of packages -->\n"
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, found := strings.Cut(string(text), begin)
	_, tail, ends := strings.Cut(rest, end)
	if !found || !ends {
		t.Fatalf("%s has no place for the packages, between %q and %q", document, begin, end)
	}
	want := head + begin + "```text\n" + listPackages(packages(t)) + "```\n" + end + tail
	if want == string(text) {
		return
	}
	if !*update {
		t.Fatalf("%s shows other packages than there are: go test ./internal/architecture -update", document)
	}
	if err := os.WriteFile(document, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

func listPackages(all map[string]pkg) string {
	var out strings.Builder
	previous := ""
	for i, layer := range layers {
		if layer.name != previous {
			fmt.Fprintf(&out, "%s%s\n", map[bool]string{true: "", false: "\n"}[i == 0], layer.name)
			previous = layer.name
		}
		for _, name := range slices.Sorted(maps.Keys(all)) {
			if layerOf(name) == i && !isCommand(name, all[name]) {
				fmt.Fprintf(&out, "    %-26s %s\n", name, purpose(all[name].Doc))
			}
		}
	}
	return out.String()
}

// purpose is the first clause of a package's comment, without its name: what stands before a colon, a semicolon or a
// full stop, and where that is long, before a comma.
func purpose(doc string) string {
	const long = 100
	doc = regexp.MustCompile(`^(Package|Command) \S+ `).ReplaceAllString(doc, "")
	if i := regexp.MustCompile(`[:;.](\s|$)`).FindStringIndex(doc); i != nil {
		doc = doc[:i[0]]
	}
	if len(doc) > long {
		if i := strings.LastIndex(doc[:long], ", "); i > 0 {
			doc = doc[:i]
		}
	}
	return strings.TrimPrefix(strings.TrimPrefix(doc, "is "), "are ")
}

// TestDocumentsNameFilesThatExist looks at every path in backquotes that looks like a file of ours.
func TestDocumentsNameFilesThatExist(t *testing.T) {
	documents, err := filepath.Glob("../../*.md")
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`([a-z][a-z0-9_.-]*/[a-z0-9_./-]+\\.(?:go|md))`")
	for _, name := range append(documents, more...) {
		if filepath.Base(name) == "CHANGELOG.md" { // it tells of what was
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range named.FindAllSubmatch(text, -1) {
			path := string(match[1])
			if _, err := os.Stat(filepath.Join("../..", path)); err != nil {
				if _, err := os.Stat(filepath.Join(filepath.Dir(name), path)); err != nil {
					t.Errorf("%s names %s, which is not there", filepath.Base(name), path)
				}
			}
		}
	}
}
