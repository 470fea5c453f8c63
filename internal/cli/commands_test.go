package cli

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tripod/api"
)

func TestExitCodesAndSentences(t *testing.T) {
	dataDir := newDataDir(t)
	for _, test := range []struct {
		args   string
		code   int
		stderr string // a part of it
	}{
		{"status", 1, "no region is running in " + dataDir + ": start one with 'tripod up --data-dir"},
		{"statsu", 2, `there is no command "statsu", did you mean 'status'?`},
		{"status -o yaml", 2, "-o yaml is not a format of status: use table or json"},
		{"status --nope", 2, "unknown flag: --nope"},
		{"status now", 2, `'tripod status' takes no arguments, but there is "now"`},
		{"kill", 2, "takes one target, such as az/b"},
		{"kill zone", 2, `"zone" is not a target: write TYPE/ZONE`},
		{"kill pod/b", 2, `there are no targets of type "pod": the types are az, etcd, apiserver, controllers`},
		{"kill az/b", 1, "no region is running"},
		{"fault az/b", 2, `"az/b" is a process, and no record: use kill, pause or stop, or write update/CLUSTER, `},
		{"fault moon/b", 2, `"moon/b" has no fault: write update/CLUSTER, capacity/ZONE, disk/ZONE, spot/INSTANCE, pod/NAMESPACE/NAME, node/NAME, ` +
			`aws/SERVICE:OPERATION, etcd/ZONE or apiserver/ZONE`},
		{"heal controllers/b", 2, `"controllers/b" is no target of 'tripod heal'`},
		{"heal etcd/b", 1, "no region is running"},
		{"slow apiserver/b --loss 5", 2, "an API server takes --latency, such as 300ms, and --for, and nothing else that slows a link"},
		{"slow apiserver/b --latency 2m", 2, `"latency=2m0s" is no fault of a server of the API: use overloaded, latency=DURATION, `},
		{"fault apiserver/b clock=noon", 2, `"clock=noon" is no fault of a server of the API`},
		{"fault", 2, "takes one target and, for some, a fault: write update/CLUSTER, capacity/ZONE, "},
		{"fault pod/default/web-0 crash-loop now", 2, "takes one target"},
		{"fault pod/default/web-0", 2, "say which behind it: crash-loop, exit=N, "},
		{"fault node/n sulk", 2, `"sulk" is no fault of a node: use pressure=memory|disk|pid, `},
		{"fault update/demo --for 3s", 2, "update/demo takes no --for: that is for capacity/ZONE, "},
		{"fault update/demo", 1, "no region is running"},
		{"slow", 2, "'tripod slow' takes one target: write link/a-b, link/a-clients or link/a-all, or disk/b"},
		{"slow az/b", 2, `"az/b" is no target of 'tripod slow': write link/a-b, link/a-clients or link/a-all, or disk/b`},
		{"partition disk/b", 2, `"disk/b" is no target of 'tripod partition': write link/a-b, link/a-clients or link/a-all (`},
		{"slow disk/b", 2, "say how slow the disk is: --latency 500ms"},
		{"slow disk/b --latency 2m", 2, "--latency of a disk is up to 1m"},
		{"slow disk/b --latency 1s --for=-1s", 2, "--for -1s is no time that passes"},
		{"slow disk/b --jitter 1s", 2, "'tripod slow' takes no --jitter for a disk: use --cluster, --for, --latency"},
		{"heal link/a-b --cluster demo", 2, "a link takes no --cluster"},
		{"reset pod/web-0", 2, "write pod/NAMESPACE/NAME, such as pod/default/web-0"},
		{"reset moon/b", 2, `there are no targets of type "moon"`},
		{"wait region --for=happy", 2, "--for=happy is not a condition: use one of ready, "},
		{"wait", 2, "name one target"},
		{"wait region --for=ready --timeout=1ms", 1, "region was not ready within 1ms"},
		{"up --port 70000", 2, "--port 70000 is not a port"},
		{"up --cluster -x", 2, "is not a cluster's name"},
		{"up --kubernetes-version 1.20", 2, `there is no Kubernetes version "1.20" here: use one of 1.34, 1.35, 1.36, 1.37`},
		{"up --region moon", 2, `--region "moon" is not a region's name`},
		{"env", 1, "there is no region in " + dataDir + " yet"},
		{"token", 2, "name the cluster with --cluster"},
		{"can-i admin get", 2, "takes a principal, a verb and a resource"},
		{"can-i admin get pods -o yaml", 2, "-o yaml is not a format of can-i: use text or json"},
		{"can-i admin get pods", 2, "no region is running"},
		{"whoami me", 2, `'tripod whoami' takes no arguments`},
		{"whoami", 1, "no region is running"},
		{"metrics --query up", 1, "no region is running"},
		{"metrics --query up etcd/b", 2, "a --query is about the whole region"},
		{"metrics --since 5m", 2, "--since, --step and --output are for a --query"},
		{"metrics --query up --step 5s", 2, "--step goes with --since"},
		{"metrics --query up -o yaml", 2, `--output is text or json, not "yaml"`},
		{"kill etcd/b --for 3s", 2, "its zone starts it again at once (stop takes one)"},
		{"pause az/b --for 0s", 2, "--for 0s is no time that passes"},
		{"pause az/b --for=-3s", 2, "--for -3s is no time that passes"},
		{"resume az/b --for 3s", 2, "unknown flag: --for"},
		{"log-level etcd/b", 2, "name a target and a level"},
		{"log-level etcd/b loud", 2, `"loud" is no level of a log: use error, warn, info, debug`},
		{"log-level moon/b info", 2, "there are no targets of type \"moon\""},
		{"log-level up info", 1, "no region is running"},
		{"support-bundle", 1, "there is no region in " + dataDir + " to gather anything of"},
		{"support-bundle all", 2, "'tripod support-bundle' takes no arguments"},
		{"logs", 2, "name one target"},
		{"logs az/b", 1, "no region has run there"},
		{"logs up", 1, "there is no log of 'tripod up'"},
		{"events --since yesterday", 2, `--since "yesterday" is none of a duration`},
		{"--data-dir= status", 2, "--data-dir is empty"},
		{"pod", 2, "name what to do: exec"},
		{"pod exec default/x", 2, "takes one NAMESPACE/POD and, after --, a command"},
		{"pod exec default/x true", 2, "takes one NAMESPACE/POD and, after --, a command"},
		{"pod exec x -- true", 2, `"x" is not a pod's NAMESPACE/POD`},
		{"pod exec default/x -- true", 1, "this build of tripod has no pod exec"},
		{"internal zone", 1, "this build of tripod has no zone"},
		{"internal", 2, "name a program"},
	} {
		got := tripod(t, dataDir, strings.Fields(test.args)...)
		if got.code != test.code || !strings.Contains(got.stderr, test.stderr) {
			t.Errorf("tripod %s: got %d %q, want %d %q", test.args, got.code, got.stderr, test.code, test.stderr)
		}
		if strings.Count(got.stderr, "\n") != 1 || !strings.HasPrefix(got.stderr, "tripod: ") {
			t.Errorf("tripod %s: not one sentence: %q", test.args, got.stderr)
		}
	}
}

func TestVerbsReachTheRegion(t *testing.T) {
	dataDir := newDataDir(t)
	region := newSupervisor(t, dataDir, testStatus())
	for _, verb := range []string{"kill", "pause", "resume", "stop", "start", "reset"} {
		got := tripod(t, dataDir, verb, "etcd/b", "--cluster", "demo")
		if got.code != 0 || !strings.HasPrefix(got.stdout, "etcd/b ") {
			t.Errorf("%s: got %+v", verb, got)
		}
		if want := "POST /v1/targets/etcd/b/" + verb + "?cluster=demo"; !slices.Contains(region.calls, want) {
			t.Errorf("no call %q among %q", want, region.calls)
		}
	}
	if got := tripod(t, dataDir, "reset"); got.code != 0 || !slices.Contains(region.calls, "POST /v1/reset?") {
		t.Errorf("reset: got %+v", got)
	}
	if got := tripod(t, dataDir, "metrics", "apiserver/a"); got.stdout != "tripod_up 1\n" ||
		!slices.Contains(region.calls, "GET /v1/metrics/apiserver/a?") {
		t.Errorf("metrics: got %+v", got)
	}
}

func TestFaultsOfRecordsReachTheRegion(t *testing.T) {
	dataDir := newDataDir(t)
	region := newSupervisor(t, dataDir, testStatus())
	pod, disk := api.Target{Kind: "pod", Name: "default/web-0"}, api.Target{Kind: "disk", Name: "b"}
	for _, test := range []struct {
		args  string
		order api.FaultOrder
		told  string // a part of what is printed
	}{
		{"fault update/demo", api.FaultOrder{Target: api.Target{Kind: "update", Name: "demo"}},
			"update/demo is at fault ('tripod reset update/demo' takes that back)\n"},
		{"fault capacity/b --instance-type m5.large --instances 2 --for 90s",
			api.FaultOrder{Target: api.Target{Kind: "capacity", Name: "b"}, InstanceType: "m5.large", Instances: 2,
				For: 90 * time.Second},
			"capacity/b is at fault (for 1m30s; 'tripod reset capacity/b' takes that back before)\n"},
		{"fault spot/i-1 --action stop", api.FaultOrder{Target: api.Target{Kind: "spot", Name: "i-1"}, Action: "stop"},
			"spot/i-1 is at fault (nothing takes that back)\n"},
		{"fault spot/i-1 --rebalance", api.FaultOrder{Target: api.Target{Kind: "spot", Name: "i-1"}, Rebalance: true}, "spot/i-1 "},
		{"fault pod/default/web-0 exit=3 --cluster demo", api.FaultOrder{Target: pod, Fault: "exit=3", Cluster: "demo"},
			"('tripod reset pod/default/web-0 --cluster demo' takes that back)\n"},
		{"fault aws/ec2:DescribeInstances latency=2s --percentage 30 --principal arn:aws:iam::111122223333:role/r --for 5m",
			api.FaultOrder{Target: api.Target{Kind: "aws", Name: "ec2:DescribeInstances"}, Fault: "latency=2s", Percentage: 30,
				Principal: "arn:aws:iam::111122223333:role/r", For: 5 * time.Minute},
			"(for 5m0s; 'tripod reset aws/ec2:DescribeInstances' takes that back before)\n"},
		{"slow apiserver/b --latency 300ms --for 1m", api.FaultOrder{Target: api.Target{Kind: "apiserver", Name: "b"}, Fault: "latency=300ms",
			For: time.Minute}, "apiserver/b is at fault (for 1m0s; "},
		{"heal etcd/b --cluster demo", api.FaultOrder{Target: api.Target{Kind: "etcd", Name: "b"}, Cluster: "demo"}, "etcd/b healed\n"},
		{"fault disk/b full --cluster demo --for 5m", api.FaultOrder{Target: disk, Fault: "full", Cluster: "demo", For: 5 * time.Minute},
			"(for 5m0s; 'tripod reset disk/b --cluster demo' takes that back before)\n"},
		{"slow disk/b --latency 500ms", api.FaultOrder{Target: disk, Fault: "latency=500ms"}, "'tripod reset disk/b' takes that back"},
		{"heal disk/b --cluster demo", api.FaultOrder{Target: disk, Cluster: "demo"}, "disk/b healed\n"},
		{"reset pod/default/web-0 --cluster demo", api.FaultOrder{Target: pod, Cluster: "demo"}, "pod/default/web-0 reset\n"},
		{"reset update/demo", api.FaultOrder{Target: api.Target{Kind: "update", Name: "demo"}}, "update/demo reset\n"},
	} {
		verb, _, _ := strings.Cut(test.args, " ")
		if of, found := map[string]string{"slow": "fault", "heal": "reset"}[verb]; found {
			verb = of
		}
		got := tripod(t, dataDir, strings.Fields(test.args)...)
		if got.code != 0 || !strings.Contains(got.stdout, test.told) ||
			!slices.Contains(region.calls, "POST /v1/faults/"+verb) || region.orders[len(region.orders)-1] != test.order {
			t.Errorf("%s: got %+v and %+v; want %+v", test.args, got, region.orders[len(region.orders)-1], test.order)
		}
	}
	if got := tripod(t, dataDir, "fault", "update/nobody"); got.code != 1 || got.stderr != "tripod: there is no such thing\n" {
		t.Errorf("a refusal: got %+v", got)
	}
}

func TestFaultsAreCompleted(t *testing.T) {
	dataDir := newDataDir(t)
	status := testStatus()
	status.Faults = []api.Fault{{Target: "node/n", Fault: "impair"}, {Target: "spot/i-1", Final: true}}
	newSupervisor(t, dataDir, status)
	for args, want := range map[string]string{
		"fault|": "update/demo capacity/a disk/a capacity/b disk/b capacity/c disk/c etcd/a etcd/b etcd/c apiserver/a apiserver/b apiserver/c " +
			"spot/ pod/ node/ aws/",
		"fault|node/n|": "pressure=memory pressure=disk pressure=pid not-ready terminate stop impair",
		"fault|pod/a/b|e": "crash-loop exit= oom-kill image-pull not-ready slow-start " +
			"latency= jitter= loss= black-hole= black-hole-to= cpu-stress= memory-stress= no-dns",
		"fault|update/demo|":  "",
		"fault|disk/b|":       "failing full read-only latency=",
		"partition|":          "link/a-b link/a-c link/a-clients link/a-all link/b-c link/b-clients link/b-all link/c-clients link/c-all",
		"fault|pod/a/b|exit|": "",
		"reset|node":          "node/n",
	} {
		got := tripod(t, dataDir, append([]string{"__complete"}, strings.Split(args, "|")...)...)
		words := strings.Fields(got.stdout)
		words = words[:max(0, len(words)-1)] // the directive
		if args == "reset|node" {
			words = slices.DeleteFunc(words, func(w string) bool { return !strings.HasPrefix(w, "node/") })
		}
		if strings.Join(words, " ") != want {
			t.Errorf("%q: got %q, want %q", args, words, want)
		}
	}
}

func TestVersion(t *testing.T) {
	for _, args := range []string{"version", "--version"} {
		if got := tripod(t, t.TempDir(), args); got.code != 0 || !strings.HasPrefix(got.stdout, "tripod ") {
			t.Errorf("%s: got %+v", args, got)
		}
	}
}

func TestUnknownZoneIsNamed(t *testing.T) {
	dataDir := newDataDir(t)
	newSupervisor(t, dataDir, testStatus())
	got := tripod(t, dataDir, "kill", "az/d")
	if want := "tripod: there is no zone \"d\" in us-east-1: its zones are a, b, c\n"; got.code != 1 ||
		got.stderr != want {
		t.Errorf("got %d %q, want %q", got.code, got.stderr, want)
	}
}

func TestStatusAsJSON(t *testing.T) {
	dataDir := newDataDir(t)
	newSupervisor(t, dataDir, testStatus())
	got := &api.Status{}
	if err := json.Unmarshal([]byte(tripod(t, dataDir, "status", "-o", "json").stdout), got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(testStatus(), got); diff != "" {
		t.Error(diff)
	}
}

func TestWaitReturnsWhenTheConditionIsMet(t *testing.T) {
	dataDir := newDataDir(t)
	region := newSupervisor(t, dataDir, twoZonesDown(testStatus()))
	done := make(chan result, 1)
	go func() { done <- tripod(t, dataDir, "wait", "region", "--for=healthy") }()
	eventually(t, func() bool {
		region.mu.Lock()
		defer region.mu.Unlock()
		return len(region.calls) > 1
	}, func() string { return "no look at the status" })
	region.set(func(s *supervisor) { s.status = testStatus() })
	if got := <-done; got.code != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestEventsOfARegionThatIsDownComeFromItsFile(t *testing.T) {
	dataDir := newDataDir(t)
	write(t, filepath.Join(dataDir, "events.jsonl"), `{"seq":1,"time":"2026-01-02T03:04:05Z","type":"ZoneStarted",`+
		`"message":"one"}`+"\n"+
		`{"seq":2,"time":"2026-01-02T03:04:06Z","type":"ZoneLost","message":"two"}`+"\n{\"seq\":3")
	got := tripod(t, dataDir, "events", "--since", "1", "-o", "json")
	if got.code != 0 || !strings.Contains(got.stdout, `"two"`) ||
		strings.Contains(got.stdout, `"one"`) || !strings.Contains(got.stderr, "no region is running") {
		t.Errorf("got %+v", got)
	}
}

func TestEventsFollowUntilTheRegionStops(t *testing.T) {
	dataDir := newDataDir(t)
	region := newSupervisor(t, dataDir, testStatus())
	region.emit(api.Event{Type: "ZoneLost", Message: "before"})
	region.set(func(s *supervisor) {
		s.answer = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/v1/events" {
				return false
			}
			for _, event := range s.events {
				json.NewEncoder(w).Encode(event)
			}
			return true // and the end of the stream
		}
	})
	got := tripod(t, dataDir, "events", "-f")
	if got.code != 0 || !strings.Contains(got.stdout, "  before\n") || got.stderr != "the region has stopped\n" {
		t.Errorf("got %+v", got)
	}
}

func TestKubectlGetsItsArgumentsUntouched(t *testing.T) {
	dataDir := newDataDir(t)
	write(t, filepath.Join(dataDir, "kubeconfig"), "")
	var args []string
	var kubeconfig string
	programs := Programs{Kubectl: func(a []string, k string) int { args, kubeconfig = a, k; return 7 }}
	got := tripodWith(t, programs, nil, "--data-dir", dataDir, "kubectl", "get", "nodes", "-o", "json", "--watch")
	if want := []string{"get", "nodes", "-o", "json", "--watch"}; got.code != 7 || got.stderr != "" ||
		!slices.Equal(args, want) {
		t.Errorf("got %+v and arguments %q, want %q", got, args, want)
	}
	if want := filepath.Join(dataDir, "kubeconfig"); kubeconfig != want {
		t.Errorf("got kubeconfig %q, want %q", kubeconfig, want)
	}
	tripodWith(t, programs, nil, "--data-dir", dataDir, "kubectl", "--kubeconfig=mine", "get", "nodes")
	if want := []string{"--kubeconfig=mine", "get", "nodes"}; !slices.Equal(args, want) || kubeconfig != "" {
		t.Errorf("got %q with %q", args, kubeconfig)
	}
	got = tripodWith(t, programs, nil, "--data-dir", t.TempDir(), "kubectl", "get", "nodes")
	if got.code != 1 || !strings.Contains(got.stderr, "there is no cluster in ") {
		t.Errorf("without a region: got %+v", got)
	}
}

func TestPodExecEndsWithTheCommandsCode(t *testing.T) {
	dataDir := newDataDir(t)
	makeRegion(t, dataDir)
	var got PodExecRequest
	programs := Programs{PodExec: func(_ context.Context, r PodExecRequest) (int, error) { got = r; return 7, nil }}
	run := tripodWith(t, programs, []string{"AWS_PROFILE=work"}, "--data-dir", dataDir, "pod", "exec", "-c", "app",
		"web/shop", "--", "go", "run", "--", ".")
	if want := []string{"go", "run", "--", "."}; run.code != 7 || run.stderr != "" || !slices.Equal(got.Command, want) ||
		got.Namespace != "web" || got.Pod != "shop" || got.Container != "app" {
		t.Errorf("got %+v and %+v, want the command %q", run, got, want)
	}
	if got.AccessKeyID != "AKIATRIPOD" || got.Endpoint != "http://127.0.0.1:4566" ||
		!slices.Contains(got.Environ, "AWS_ENDPOINT_URL=http://127.0.0.1:4566") {
		t.Errorf("got %+v, want the region's keys and endpoint", got)
	}
	left := filepath.Join(got.Directory, "1") // of one that was killed
	if err := os.MkdirAll(left, 0o700); err != nil {
		t.Fatal(err)
	}
	if run := tripod(t, dataDir, "down"); run.code != 0 {
		t.Errorf("got %+v", run)
	}
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("down leaves %s: %v", left, err)
	}
	programs.PodExec = func(context.Context, PodExecRequest) (int, error) { return 0, errors.New("it is gone") }
	if run = tripodWith(t, programs, nil, "--data-dir", dataDir, "pod", "exec", "web/shop", "--", "true"); run.code != 1 ||
		!strings.Contains(run.stderr, "pod web/shop: it is gone") {
		t.Errorf("got %+v", run)
	}
}

func TestTokenIsSignedWithTheRegionsCredentialsUnlessTheEnvironmentIsTheRegions(t *testing.T) {
	dataDir := newDataDir(t)
	makeRegion(t, dataDir)
	var request TokenRequest
	programs := Programs{Token: func(_ context.Context, r TokenRequest) ([]byte, error) {
		request = r
		return []byte("{}\n"), nil
	}}
	for _, test := range []struct{ endpoint, want string }{
		{"", "AKIATRIPOD"}, {"https://eks.us-east-1.amazonaws.com", "AKIATRIPOD"}, {"http://evil.example:4566", "AKIATRIPOD"},
		{"http://127.0.0.1:4566", "AKIAMINE"}, {"https://localhost:4566/", "AKIAMINE"},
	} {
		got := tripodWith(t, programs, []string{"AWS_ACCESS_KEY_ID=AKIAMINE", "AWS_ENDPOINT_URL=" + test.endpoint},
			"--data-dir", dataDir, "token", "--cluster", "demo")
		if got.code != 0 || got.stdout != "{}\n" || request.AccessKeyID != test.want {
			t.Errorf("endpoint %q: got %+v with key %s, want %s", test.endpoint, got, request.AccessKeyID, test.want)
		}
	}
	if request.Region != "us-east-1" || request.Endpoint != "http://127.0.0.1:4566" || request.Cluster != "demo" {
		t.Errorf("got %+v", request)
	}
	programs.Token = func(context.Context, TokenRequest) ([]byte, error) { return nil, errors.New("no") }
	if got := tripodWith(t, programs, nil, "--data-dir", dataDir, "token", "--cluster", "demo"); got.code != 1 {
		t.Errorf("got %+v", got)
	}
}

func TestEnvPrintsWhatLeadsClientsToTheRegion(t *testing.T) {
	dataDir := newDataDir(t)
	makeRegion(t, dataDir)
	got := tripodWith(t, Programs{}, []string{"TRIPOD_DATA_DIR=" +
		dataDir, "NO_PROXY=corp.example, localhost", "no_proxy=x", "AWS_ENDPOINT_URL_S3=http://x"}, "env")
	golden(t, "env.txt", strings.ReplaceAll(got.stdout, dataDir, "/DATA"))
	if got.code != 0 || !strings.HasPrefix(got.stderr, "note: no region is running") {
		t.Errorf("got %+v", got)
	}
}

func TestEnvOfRootHasTheKeyThatTheRegionMakes(t *testing.T) {
	dataDir := newDataDir(t)
	makeRegion(t, dataDir)
	run := func(args ...string) result {
		return tripodWith(t, Programs{}, []string{"TRIPOD_DATA_DIR=" + dataDir, "HOME=" + t.TempDir()},
			append([]string{"env", "--root"}, args...)...)
	}
	if got := run(); got.code != 1 || got.stdout != "" || !strings.Contains(got.stderr, "no region is running") {
		t.Errorf("while nothing runs: got %+v", got)
	}
	region := newSupervisor(t, dataDir, testStatus())
	answers(region, "/v1/root", api.Credentials{AccessKeyID: "AKIAROOT", SecretAccessKey: "root's"})
	got := run()
	if got.code != 0 || !strings.Contains(got.stdout, "export AWS_ACCESS_KEY_ID=AKIAROOT\n"+
		"export AWS_SECRET_ACCESS_KEY='root'\\''s'\n") ||
		!strings.Contains(got.stdout, "export AWS_ENDPOINT_URL=") ||
		!strings.Contains(got.stdout, "unset AWS_SESSION_TOKEN\n") || strings.Contains(got.stdout, "AKIATRIPOD") {
		t.Errorf("got %+v", got)
	}
	if got := run("--profile"); got.code != 2 || !strings.Contains(got.stderr, "use --root or --node without --profile") {
		t.Errorf("with --profile: got %+v", got)
	}
}

func TestEnvOfANodeHasItsInstancesCredentials(t *testing.T) {
	dataDir := newDataDir(t)
	makeRegion(t, dataDir)
	region := newSupervisor(t, dataDir, testStatus())
	answers(region, "/v1/nodes/ip-10-0-1-2.ec2.internal/credentials",
		api.Credentials{AccessKeyID: "ASIANODE", SecretAccessKey: "node's", SessionToken: "sealed"})
	run := func(args ...string) result {
		return tripodWith(t, Programs{}, []string{"TRIPOD_DATA_DIR=" + dataDir, "HOME=" + t.TempDir()},
			append([]string{"env"}, args...)...)
	}
	got := run("--node", "ip-10-0-1-2.ec2.internal")
	for _, want := range []string{"export AWS_ACCESS_KEY_ID=ASIANODE\n", "export AWS_SESSION_TOKEN=sealed\n",
		"export KUBECONFIG="} {
		if got.code != 0 || !strings.Contains(got.stdout, want) || strings.Contains(got.stdout, "unset AWS_SESSION_TOKEN") {
			t.Errorf("got %+v, want it to have %q, and not to unset the session token", got, want)
		}
	}
	for _, wrong := range []string{"--root", "--profile"} {
		if got := run("--node", "x", wrong); got.code != 2 || got.stdout != "" {
			t.Errorf("with %s too: got %+v", wrong, got)
		}
	}
	if got := run("--node", ""); got.code != 2 || got.stdout != "" ||
		!strings.Contains(got.stderr, "--node names no node") {
		t.Errorf("with a node of no name: got %+v", got)
	}
}

func TestProfileKeepsEverythingElse(t *testing.T) {
	dataDir := newDataDir(t)
	makeRegion(t, dataDir)
	home := t.TempDir()
	config, credentials := filepath.Join(home, ".aws", "config"), filepath.Join(home, ".aws", "credentials")
	before := "# mine\n[default]\nregion = eu-west-1\ns3 =\n  region = x\n\n[profile tripod]\n" +
		"endpoint_url = http://127.0.0.1:1\noutput = json\n[profile z]\nregion = z\n"
	write(t, config, before)
	write(t, credentials, "[default]\naws_access_key_id = AKIAREAL")
	run := func() result {
		return tripodWith(t, Programs{}, []string{"HOME=" + home}, "--data-dir", dataDir, "env", "--profile")
	}
	if got := run(); got.code != 0 || !strings.Contains(got.stdout, "AWS_PROFILE=tripod") {
		t.Fatalf("got %+v", got)
	}
	text := read(t, config) + "--- credentials\n" + read(t, credentials)
	golden(t, "profile.txt", strings.ReplaceAll(text, dataDir, "/DATA"))
	if run(); read(t, config)+"--- credentials\n"+read(t, credentials) != text {
		t.Errorf("the second run changed it to\n%s", read(t, config))
	}
	if info, err := os.Stat(credentials); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v %v, want 0600", info.Mode(), err)
	}
}

func TestProfileOfSomebodyElseIsRefused(t *testing.T) {
	dataDir := newDataDir(t)
	makeRegion(t, dataDir)
	for file, text := range map[string]string{"config": "[profile tripod]\nsso_session = work\n",
		"credentials": "[tripod]\naws_access_key_id = AKIAREAL\n"} {
		home := t.TempDir()
		path := filepath.Join(home, ".aws", file)
		write(t, path, text)
		got := tripodWith(t, Programs{}, []string{"HOME=" + home}, "--data-dir", dataDir, "env", "--profile")
		if got.code != 1 || !strings.Contains(got.stderr, "does not lead to a Tripod region") || read(t, path) != text {
			t.Errorf("%s: got %+v and %q", file, got, read(t, path))
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestParseSince(t *testing.T) {
	keep, seq, err := parseSince("5m", testNow())
	if err != nil || seq != 0 || keep(api.Event{Time: testNow().Add(-6 * time.Minute)}) ||
		!keep(api.Event{Time: testNow()}) {
		t.Errorf("5m: %v", err)
	}
	if keep, seq, err = parseSince("12", testNow()); err != nil || seq != 12 || keep(api.Event{Seq: 12}) ||
		!keep(api.Event{Seq: 13}) {
		t.Errorf("12: %v", err)
	}
}
