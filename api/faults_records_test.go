package api

import (
	"strings"
	"testing"
	"time"
)

func TestOrdersThatMakeNoSenseGetOneSentence(t *testing.T) {
	for _, c := range []struct {
		target, fault string
		order         FaultOrder
		want          string // a part of the sentence; empty: the order is well
	}{
		{"update/demo", "", FaultOrder{}, ""},
		{"update/demo", "now", FaultOrder{}, "update/demo has one fault only"},
		{"update/demo", "", FaultOrder{For: time.Second}, "takes no --for: that is for capacity/ZONE, disk/ZONE, " +
			"pod/NAMESPACE/NAME, node/NAME, aws/SERVICE:OPERATION, etcd/ZONE or apiserver/ZONE"},
		{"capacity/b", "", FaultOrder{InstanceType: "m5.large", Instances: 3, For: time.Minute}, ""},
		{"capacity/b", "", FaultOrder{Instances: -1}, "--instances -1 is no number of instances"},
		{"capacity/b", "", FaultOrder{Cluster: "demo"}, "takes no --cluster"},
		{"spot/i-1", "", FaultOrder{Action: "stop"}, ""},
		{"spot/i-1", "", FaultOrder{Action: "pause"}, "use terminate, stop or hibernate"},
		{"spot/i-1", "", FaultOrder{Action: "stop", Rebalance: true}, "--action or --rebalance, not both"},
		{"pod/default/web-0", "crash-loop", FaultOrder{Cluster: "demo", For: time.Second}, ""},
		{"pod/default/web-0", "exit=3,slow-start, not-ready", FaultOrder{}, ""},
		{"pod/default/web-0", "slow-start=5s", FaultOrder{}, ""},
		{"pod/default/web-0", "", FaultOrder{},
			"say which behind it: crash-loop, exit=N, oom-kill, image-pull, not-ready, slow-start[=DURATION], " +
				"latency=DURATION, jitter=DURATION, loss=PERCENT, black-hole=PORT, black-hole-to=PORT, " +
				"cpu-stress=PERCENT, memory-stress=PERCENT or no-dns"},
		{"pod/default/web-0", "exit", FaultOrder{}, `"exit" is no fault of a pod: use crash-loop, `},
		{"pod/default/web-0", "exit=256", FaultOrder{}, `"exit=256" is no fault`},
		{"pod/default/web-0", "slow-start=soon", FaultOrder{}, "is no fault of a pod"},
		{"pod/default/web-0", "crash-loop=1", FaultOrder{}, "is no fault of a pod"},
		{"pod/default/web-0", "crash-loop,", FaultOrder{}, `"" is no fault of a pod`},
		{"pod/web-0", "crash-loop", FaultOrder{}, "write pod/NAMESPACE/NAME, such as pod/default/web-0"},
		{"node/n", "pressure=disk", FaultOrder{}, ""},
		{"node/n", "pressure=memory,pid", FaultOrder{}, ""},
		{"node/n", "pressure=memory,", FaultOrder{}, "is no fault of a node"},
		{"node/n", "pressure=cpu", FaultOrder{}, "use pressure=memory|disk|pid, not-ready, terminate, stop or impair"},
		{"node/n", "stop,impair", FaultOrder{}, "is no fault of a node"},
		{"node/n", "terminate", FaultOrder{For: time.Second}, "terminate happens once and takes no --for"},
		{"node/a/b", "stop", FaultOrder{}, "write node/NAME"},
		{"node/", "stop", FaultOrder{}, "write node/NAME"},
		{"node/n", "stop", FaultOrder{For: -time.Second}, "--for -1s is no time that passes"},
		{"aws/ec2:DescribeInstances", "throttle", FaultOrder{Percentage: 30, Principal: "arn:aws:iam::1:role/r", For: time.Minute}, ""},
		{"aws/eks:*", "latency=2s", FaultOrder{}, ""},
		{"aws/eks:*", "latency", FaultOrder{}, "use throttle, internal-error, unavailable or latency=DURATION"},
		{"aws/eks:*", "latency=0s", FaultOrder{}, "is no fault of a call"},
		{"aws/eks:*", "latency=16m", FaultOrder{}, "is no fault of a call"},
		{"aws/eks:*", "throttle", FaultOrder{Percentage: 101}, "--percentage 101 is no share of calls"},
		{"aws/eks:*", "throttle", FaultOrder{Principal: "somebody"}, `--principal "somebody" is no ARN`},
		{"aws/eks", "throttle", FaultOrder{}, "write aws/SERVICE:OPERATION, such as aws/ec2:DescribeInstances"},
		{"aws/eks:", "throttle", FaultOrder{}, "write aws/SERVICE:OPERATION"},
		{"aws/eks:a/b", "throttle", FaultOrder{}, "write aws/SERVICE:OPERATION"},
		{"node/n", "stop", FaultOrder{Percentage: 5}, "takes no --percentage: that is for aws/SERVICE:OPERATION"},
		{"disk/b", "full", FaultOrder{Cluster: "demo", For: time.Second}, ""},
		{"disk/b", Slower(time.Second), FaultOrder{}, ""},
		{"disk/b", "", FaultOrder{}, "say which behind it: failing, full, read-only or latency=DURATION"},
		{"disk/b", "latency=2m", FaultOrder{}, "is no fault of a disk"},
		{"disk/", "full", FaultOrder{}, "write disk/ZONE, such as disk/b"},
		{"az/b", "", FaultOrder{}, "use kill, pause or stop"},
		{"moon/b", "", FaultOrder{}, `"moon/b" has no fault: write update/CLUSTER, capacity/ZONE, `},
	} {
		kind, name, _ := strings.Cut(c.target, "/")
		c.order.Target, c.order.Fault = Target{Kind: kind, Name: name}, c.fault
		err := c.order.Check()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s %s %+v: %v, want %q", c.target, c.fault, c.order, err, c.want)
		}
	}
}

// TestEveryRecordFaultIsWellDescribed: the list alone makes command, help and checks.
func TestEveryRecordFaultIsWellDescribed(t *testing.T) {
	for _, fault := range RecordFaults {
		if found, ok := FindRecordFault(fault.Kind); !ok || found.Help == "" || found.Name == "" {
			t.Errorf("%s: %+v", fault.Kind, found)
		}
		target, err := ParseFaultTarget(strings.Fields(fault.Example)[0])
		if err != nil || target.Kind != fault.Kind {
			t.Errorf("the example %q of %s is %v, %v", fault.Example, fault.Kind, target, err)
		}
		for _, word := range fault.Words {
			if word.Help == "" || (word.Value != "") != (word.valid != nil) {
				t.Errorf("%s %s has no help, or a value that is not checked", fault.Kind, word.Name)
			}
		}
	}
}
