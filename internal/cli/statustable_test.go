package cli

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"tripod/api"
	"tripod/client"
)

func TestStatusTable(t *testing.T) {
	several := testStatus()
	for i := range several.Zones {
		for _, instance := range several.Zones[i].Instances {
			instance.Cluster = strings.Repeat("long-name-", 10)
			instance.Restarts = 12
			several.Zones[i].Instances = append(several.Zones[i].Instances, instance)
		}
	}
	second := several.Clusters[0]
	second.Name = strings.Repeat("long-name-", 10)
	second.Status, second.Private = "CREATING", "https://127.0.0.1:26007"
	second.Stages = []api.Stage{{Name: "network interfaces", Done: 3, Of: 3}, {Name: "etcd members", Done: 2, Of: 3},
		{Name: "API servers", Of: 3}}
	second.Trouble = "the endpoint of cluster second cannot be opened: listen tcp 127.0.0.1:26444: bind: address " +
		"already in use; it is tried again every second"
	several.Clusters = append(several.Clusters, second)
	several.Balancers = append(several.Balancers, api.Balancer{Name: second.Name, Address: "127.0.0.1:26444"})
	faults := testStatus()
	faults.Clusters = append(faults.Clusters, api.Cluster{Name: "second", Version: "1.36", Status: "ACTIVE", Quorum: true,
		EtcdMembers: 3})
	since, until := testNow().Add(-27*time.Second), testNow().Add(93*time.Second)
	faults.Faults = []api.Fault{
		{Target: "update/demo", Fault: api.FaultOfUpdate, Since: since},
		{Target: "capacity/us-east-1b", Fault: "at most 0 m5.large", Since: since},
		{Target: "spot/i-0123456789abcdef0", Fault: "to terminate", Since: since, Until: &until, Final: true},
		{Target: "pod/shop/" + strings.Repeat("web-", 60), Fault: "crash-loop,not-ready,slow-start=30s", Since: since,
			Cluster: "demo"},
		{Target: "pod/default/web-0", Fault: "not-ready", Since: since, Until: &until, Cluster: "second"},
		{Target: "apiserver/a", Fault: "stopped", Since: since, Cluster: "demo"},
	}
	crons := testStatus()
	minutes := func(n int) *time.Time { at := testNow().Add(time.Duration(n) * time.Minute); return &at }
	run := func(due int, result string) api.CronJobRun {
		return api.CronJobRun{Job: "job", Due: *minutes(due), Started: minutes(due + 1), Ended: minutes(due + 3), Result: result}
	}
	crons.Clusters[0].CronJobs = []api.CronJob{
		{Namespace: "shop", Name: "report", Schedule: "*/10 * * * *", Next: minutes(5), Runs: []api.CronJobRun{
			{Job: "job", Due: *minutes(-5), Started: minutes(-5), Result: api.RunActive}, run(-15, api.RunFailed), run(-25, api.RunSucceeded)}},
		{Namespace: "shop", Name: "late", Schedule: "*/10 * * * *", Next: minutes(-35), Missed: 4,
			Runs: []api.CronJobRun{run(-45, api.RunFailed)}},
		{Namespace: "shop", Name: strings.Repeat("long-", 10), Suspended: true, Missed: api.MostMissed},
		{Namespace: "shop", Name: "wrong", Trouble: "its schedule cannot be read: expected exactly 5 fields, found 2: [at noon]"},
	}
	crons.Clusters = append(crons.Clusters, api.Cluster{Name: "second", Version: "1.36", Status: "ACTIVE", Quorum: true, EtcdMembers: 3,
		CronJobsTrouble: "the CronJobs of cluster second cannot be read: no zone can be reached"})
	empty := testStatus()
	empty.Clusters, empty.Phase, empty.Balancers = nil, api.PhaseStarting, nil
	for i := range empty.Zones {
		empty.Zones[i] = api.Zone{Name: empty.Zones[i].Name, State: api.StateStarting}
	}

	for name, status := range map[string]*api.Status{
		"ready": testStatus(), "two-zones-down": twoZonesDown(testStatus()), "two-clusters": several, "starting": empty,
		"faults": faults, "cronjobs": crons,
	} {
		t.Run(name, func(t *testing.T) {
			lines := statusLines(status, testNow())
			for _, line := range lines {
				if utf8.RuneCountInString(line) > tableWidth {
					t.Errorf("this line has %d columns: %s", utf8.RuneCountInString(line), line)
				}
				if strings.ContainsRune(line, '\x1b') {
					t.Errorf("this line can steer the terminal: %q", line)
				}
			}
			golden(t, "status-"+name+".txt", strings.Join(lines, "\n")+"\n")
		})
	}
}

func TestStatusSaysPlainlyThatQuorumIsLost(t *testing.T) {
	text := strings.Join(statusLines(twoZonesDown(testStatus()), testNow()), " ")
	for _, want := range []string{"QUORUM IS LOST", "1 of 3 etcd members and needs 2", "tripod start az/b"} {
		if !strings.Contains(text, want) {
			t.Errorf("status does not say %q:\n%s", want, text)
		}
	}
}

func TestWatchFrameFitsTheTerminal(t *testing.T) {
	events := strings.Split(strings.Repeat("an event that is a good deal longer than forty columns\n", 50), "\n")
	drawn := testCourse()
	for _, size := range [][2]int{{80, 24}, {40, 10}, {200, 60}, {5, 3}} {
		for _, status := range []*api.Status{testStatus(), twoZonesDown(testStatus()), nil} {
			var err error
			if status == nil {
				err = client.ErrNotRunning
			}
			frame := watchFrame(watched{status, testStatus(), err, events, drawn.lines(size[0])}, testNow(), size[0], size[1])
			if len(frame) != size[1] {
				t.Errorf("%v: got %d lines", size, len(frame))
			}
			for _, line := range frame {
				if utf8.RuneCountInString(line) > size[0] {
					t.Errorf("%v: too wide: %q", size, line)
				}
			}
		}
	}
	golden(t, "watch-80x24.txt", strings.Join(watchFrame(watched{testStatus(), nil, nil, events[:2], drawn.lines(80)}, testNow(), 80, 24),
		"\n")+"\n")
	golden(t, "watch-120x50.txt", strings.Join(watchFrame(watched{testStatus(), nil, nil, events, drawn.lines(120)}, testNow(), 120, 50),
		"\n")+"\n")
}

func TestChanges(t *testing.T) {
	got := changes(facts(testStatus()), facts(twoZonesDown(testStatus())))
	for _, want := range []string{"zone us-east-1b: ready -> killed", "cluster demo's quorum: there -> lost",
		"region us-east-1: ready -> noQuorum"} {
		found := false
		for _, line := range got {
			found = found || line == want
		}
		if !found {
			t.Errorf("no line %q in:\n%s", want, strings.Join(got, "\n"))
		}
	}
	if lines := changes(facts(testStatus()), facts(testStatus())); len(lines) != 0 {
		t.Errorf("nothing changed, but: %q", lines)
	}
}

func TestText(t *testing.T) {
	for _, test := range []struct{ got, want string }{
		{clean("a\x1b[31mb\tc\u202ed\xffe"), `a\x1b[31mb` + "\t" + `c\u202ed\xffe`},
		{shellQuote("plain/path-1.2"), "plain/path-1.2"},
		{shellQuote(`it's $HOME`), `'it'\''s $HOME'`},
		{shellQuote(""), "''"},
		{pad("abcdef", 4), "abc…"},
		{pad("ab", -4), "  ab"},
		{age(119e9), "119s"}, {age(3600e9), "60m"}, {age(400 * 24 * 3600e9), "400d"},
		{memory(0), "-"}, {memory(871 << 20), "871 MiB"}, {memory(12 << 30), "12.0 GiB"},
	} {
		if test.got != test.want {
			t.Errorf("got %q, want %q", test.got, test.want)
		}
	}
}
