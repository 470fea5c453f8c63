package machines

import (
	"encoding/base64"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"tripod/awsapi/ec2"
	"tripod/region"
	"tripod/state"
)

// Ids of instances.
const (
	first  = "i-00000000000000001"
	second = "i-00000000000000002"
	third  = "i-00000000000000003"
)

const clusterID = "0123456789ABCDEF0123456789ABCDEF"

var began = time.Date(2026, 11, 29, 7, 0, 0, 0, time.UTC)

// bench is a zone's host whose clock is the test's.
type bench struct {
	*Host
	now   time.Time
	state *state.Memory
	t     *testing.T
}

func newBench(t *testing.T, seed func(tx *state.Txn, b *bench)) *bench {
	b := &bench{now: began, t: t}
	vpc := ec2.VPC{AccountID: "000000000000", Region: "us-east-1", Zones: []string{"us-east-1a", "us-east-1b", "us-east-1c"}}
	b.Host = &Host{Zone: "us-east-1a", Zones: vpc.Zones, Network: &ec2.Service{VPC: vpc}, Pace: FastPace,
		Now: func() time.Time { return b.now }, Logger: slog.New(slog.DiscardHandler)}
	b.state = region.NewMemory(func(tx *state.Txn) {
		region.Clusters.Put(tx, clusterID, region.Cluster{ID: clusterID, Name: "demo", Version: "1.36", EndpointPort: 20000,
			Status: region.ClusterActive, CreatedAt: began, Secrets: region.ClusterSecrets{CACert: authority}})
		region.Roles.Put(tx, "node", region.Role{Name: "node"})
		region.InstanceProfiles.Put(tx, "node", region.InstanceProfile{Name: "node", Role: "node"})
		seed(tx, b)
	})
	b.State, b.Network.State = b.state, b.state
	return b
}

// launch writes a pending instance in a zone's private subnet.
func (b *bench) launch(tx *state.Txn, id string, zone int, userData string) {
	vpc := b.Network.VPC
	_, err := region.LaunchInstance(tx, region.Instance{ID: id, Zone: vpc.Zones[zone], SubnetID: vpc.SubnetIDs()[zone],
		VPCID: vpc.ID(), Address: "10.0.0.40", DNSName: "ip-10-0-0-40.ec2.internal",
		InterfaceID: "eni-" + id[2:], VolumeID: "vol-" + id[2:],
		Launch: region.InstanceLaunch{Type: "m5.large", Profile: "node",
			UserData: base64.StdEncoding.EncodeToString([]byte(userData))}}, b.now)
	if err != nil {
		b.t.Error(err)
	}
}

func (b *bench) instance(id string) (v region.Instance) {
	b.state.View(func(tx *state.Txn) error { v, _ = region.Instances.Get(tx, id); return nil })
	return v
}

func (b *bench) change(fn func(tx *state.Txn) error) {
	b.t.Helper()
	if err := b.state.Update(b.t.Context(), fn); err != nil {
		b.t.Fatal(err)
	}
}

// pass lets time pass, in the steps that the host asks for, and checks that it rests in the end.
func (b *bench) pass(d time.Duration) {
	b.t.Helper()
	for end := b.now.Add(d); ; {
		again, err := b.Bring(b.t.Context())
		if err != nil {
			b.t.Fatal(err)
		}
		if again == 0 || b.now.Add(again).After(end) {
			b.now = end
			return
		}
		b.now = b.now.Add(again)
	}
}

func nodeConfig(endpoint, ca string) string {
	return fmt.Sprintf("apiVersion: node.eks.aws/v1alpha1\nkind: NodeConfig\nspec:\n  cluster:\n    name: demo\n"+
		"    apiServerEndpoint: %s\n    certificateAuthority: %s\n    cidr: 10.100.0.0/16\n", endpoint,
		base64.StdEncoding.EncodeToString([]byte(ca)))
}

const authority = "-----BEGIN CERTIFICATE-----\nb3Vycw==\n-----END CERTIFICATE-----\n"

func TestInstanceRunsBootsStopsStartsAndEndsInItsTime(t *testing.T) {
	b := newBench(t, func(tx *state.Txn, b *bench) {
		b.launch(tx, first, 0, nodeConfig("https://127.0.0.1:20000", authority))
	})
	b.pass(FastPace.Pending + FastPace.Boot)
	v := b.instance(first)
	if v.State != region.InstanceRunning || v.Boot.ClusterID != clusterID || v.Boot.Cluster != "demo" || v.Boot.Trouble != "" {
		t.Fatalf("it is %s with boot %+v", v.State, v.Boot)
	}
	if again, err := b.Bring(t.Context()); again != 0 || err != nil {
		t.Errorf("nothing is due, and it is called again after %v (%v)", again, err)
	}
	b.change(func(tx *state.Txn) error {
		_, err := region.StopInstance(tx, first, region.UserShutdown, b.now)
		return err
	})
	b.pass(time.Minute)
	if v = b.instance(first); v.State != region.InstanceStopped || !v.Boot.At.IsZero() {
		t.Errorf("it is %s with boot %+v", v.State, v.Boot)
	}
	b.change(func(tx *state.Txn) error { _, err := region.StartInstance(tx, first, b.now); return err })
	b.pass(time.Minute)
	if v = b.instance(first); v.State != region.InstanceRunning || v.Boot.At.IsZero() {
		t.Errorf("it is %s with boot %+v", v.State, v.Boot)
	}
	b.change(func(tx *state.Txn) error {
		_, err := region.TerminateInstance(tx, first, region.UserShutdown, b.now)
		return err
	})
	b.pass(time.Minute)
	if v = b.instance(first); v.State != region.InstanceTerminated {
		t.Errorf("it is %s", v.State)
	}
	b.pass(remembered)
	if v = b.instance(first); v.ID != "" {
		t.Errorf("EC2 still shows it an hour later: %+v", v)
	}
}

func TestSpotInstanceGoesWhenItsNoticeSays(t *testing.T) {
	b := newBench(t, func(tx *state.Txn, b *bench) { b.launch(tx, first, 0, "") })
	b.pass(time.Minute)
	b.change(func(tx *state.Txn) error {
		v, _ := region.Instances.Get(tx, first)
		v.Spot = &region.SpotInterruption{Action: "terminate", At: b.now.Add(2 * time.Minute)}
		region.Instances.Put(tx, first, v)
		return nil
	})
	b.pass(2*time.Minute - time.Second)
	if v := b.instance(first); v.State != region.InstanceRunning {
		t.Errorf("it is %s before its time", v.State)
	}
	b.pass(2 * time.Second)
	if v := b.instance(first); v.State != region.InstanceTerminated || v.Reason != region.SpotTermination {
		t.Errorf("it is %s because of %v", v.State, v.Reason)
	}
}

func TestOutageImpairsAZonesInstancesUntilItIsBack(t *testing.T) {
	b := newBench(t, func(tx *state.Txn, b *bench) {
		b.launch(tx, second, 1, "")
		b.launch(tx, third, 1, "")
	})
	other := *b
	host := *b.Host
	other.Host, host.Zone, host.Now = &host, "us-east-1b", func() time.Time { return other.now }
	other.pass(time.Minute)
	b.now = other.now
	b.change(func(tx *state.Txn) error {
		region.ZoneOutages.Put(tx, "us-east-1b", region.ZoneOutage{Zone: "us-east-1b", Since: b.now})
		_, err := region.TerminateInstance(tx, third, region.UserShutdown, b.now)
		return err
	})
	b.pass(time.Minute)
	if v := b.instance(second); v.Impaired.IsZero() {
		t.Error("an instance of a zone that is out is well")
	}
	if v := b.instance(third); v.State != region.InstanceTerminated {
		t.Errorf("EC2 waits for the zone that is out: it is %s", v.State)
	}
	other.now = b.now
	other.pass(time.Minute)
	if v := b.instance(second); !v.Impaired.IsZero() {
		t.Error("the zone is back, and its instance is impaired")
	}
	if again, err := b.Bring(t.Context()); again != 0 || err != nil {
		t.Errorf("after the outage the other zone looks again after %v (%v)", again, err)
	}
}

// TestInstanceThatSomebodyImpairedStaysSo: its zone mends what an outage has impaired, and nothing else; a spot instance
// ends at its time all the same.
func TestInstanceThatSomebodyImpairedStaysSo(t *testing.T) {
	b := newBench(t, func(tx *state.Txn, b *bench) { b.launch(tx, first, 0, "") })
	b.pass(time.Minute)
	fault := region.Fault{Target: "node/n", Of: region.FaultedInstance, Fault: region.ImpairFault, InstanceID: first, Since: b.now}
	b.change(func(tx *state.Txn) error {
		region.Faults.Put(tx, fault.Key(), fault)
		region.ImpairInstance(tx, first, b.now)
		region.InterruptInstance(tx, first, region.SpotInterruption{Action: "stop", At: b.now.Add(2 * time.Minute)})
		return nil
	})
	b.pass(time.Minute)
	if v := b.instance(first); v.Impaired.IsZero() || v.State != region.InstanceRunning {
		t.Errorf("it is %s, impaired since %v", v.State, v.Impaired)
	}
	b.pass(2 * time.Minute)
	if v := b.instance(first); v.State != region.InstanceStopped {
		t.Errorf("after its notice it is %s", v.State)
	}
}

func TestBootTellsWhyItLeadsNowhere(t *testing.T) {
	for userData, want := range map[string]string{
		nodeConfig("https://127.0.0.1:20099", authority): `Unable to register node with API server: Post ` +
			`"https://127.0.0.1:20099/api/v1/nodes": dial tcp 127.0.0.1:20099: connect: connection refused`,
		nodeConfig("https://other.example.com", authority): `Unable to register node with API server: Post ` +
			`"https://other.example.com/api/v1/nodes": dial tcp: lookup other.example.com: no such host`,
		"#!/bin/bash\necho no node": "",
		"":                          "",
	} {
		b := newBench(t, func(tx *state.Txn, b *bench) { b.launch(tx, first, 0, userData) })
		b.pass(time.Minute)
		if got := b.instance(first).Boot; got.Trouble != want || got.ClusterID != "" || got.At.IsZero() {
			t.Errorf("boot %+v, want the trouble %q", got, want)
		}
	}
}

func TestObstaclesAreInTheWordsOfTheLog(t *testing.T) {
	const post = `Unable to register node with API server: Post "https://127.0.0.1:20000/api/v1/nodes": `
	for name, c := range map[string]struct {
		change func(tx *state.Txn, b *bench, v *region.Instance, c *region.Cluster)
		ca     string
		want   string
	}{
		"none": {func(*state.Txn, *bench, *region.Instance, *region.Cluster) {}, authority, ""},
		"bootstrap.sh asks for the endpoint": {func(tx *state.Txn, b *bench, v *region.Instance, _ *region.Cluster) {
			v.Launch.UserData = base64.StdEncoding.EncodeToString([]byte("#!/bin/bash\n/etc/eks/bootstrap.sh demo\n"))
			region.Roles.Put(tx, "node", region.Role{Name: "node", ARN: "arn:aws:iam::000000000000:role/node",
				Inline: map[string]string{"p": `{"Version":"2012-10-17","Statement":{"Effect":"Allow",
					"Action":"eks:DescribeCluster","Resource":"*"}}`}})
		}, authority, ""},
		"bootstrap.sh may not ask": {func(tx *state.Txn, b *bench, v *region.Instance, _ *region.Cluster) {
			v.Launch.UserData = base64.StdEncoding.EncodeToString([]byte("#!/bin/bash\n/etc/eks/bootstrap.sh demo\n"))
			region.Roles.Put(tx, "node", region.Role{Name: "node", ARN: "arn:aws:iam::000000000000:role/node"})
		}, authority, "An error occurred (AccessDeniedException) when calling the DescribeCluster operation: User: " +
			"arn:aws:sts::000000000000:assumed-role/node/" + first + " is not authorized to perform: eks:DescribeCluster on resource: " +
			"arn:aws:eks:us-east-1:000000000000:cluster/demo because no identity-based policy allows the eks:DescribeCluster action"},
		"no profile": {func(_ *state.Txn, _ *bench, v *region.Instance, _ *region.Cluster) { v.Launch.Profile = "" }, authority,
			"Unable to register node with API server: getting credentials: no EC2 IMDS role found, operation error ec2imds: " +
				"GetMetadata, http response error StatusCode: 404"},
		"strange authority": {func(*state.Txn, *bench, *region.Instance, *region.Cluster) {},
			"-----BEGIN CERTIFICATE-----\nb3RoZXI=\n-----END CERTIFICATE-----\n",
			post + "tls: failed to verify certificate: x509: certificate signed by unknown authority"},
		"closed to the NAT gateway": {func(_ *state.Txn, _ *bench, _ *region.Instance, c *region.Cluster) {
			c.Access = &region.EndpointAccess{Public: true, PublicCIDRs: []string{"192.168.0.0/16"}}
		}, authority, post + "dial tcp 127.0.0.1:20000: i/o timeout"},
		"private from its own VPC": {func(_ *state.Txn, b *bench, v *region.Instance, c *region.Cluster) {
			c.Access = &region.EndpointAccess{Private: true}
			v.Launch.Groups = []string{b.Network.VPC.ClusterSecurityGroupID(clusterID)}
		}, authority, ""},
		"private, and no member of the cluster's security group": {func(_ *state.Txn, b *bench, v *region.Instance, c *region.Cluster) {
			c.Access = &region.EndpointAccess{Private: true}
			v.Launch.Groups = []string{b.Network.DefaultGroup(b.Network.VPC.ID())}
		}, authority, post + "dial tcp 127.0.0.1:20000: i/o timeout"},
		"private from another VPC": {func(_ *state.Txn, _ *bench, v *region.Instance, c *region.Cluster) {
			c.Access, v.VPCID = &region.EndpointAccess{Private: true}, "vpc-0other"
		}, authority, post + "dial tcp 127.0.0.1:20000: i/o timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, func(tx *state.Txn, b *bench) {
				b.launch(tx, first, 0, nodeConfig("https://127.0.0.1:20000", c.ca))
			})
			v := b.instance(first)
			b.change(func(tx *state.Txn) error {
				cluster, _ := region.Clusters.Get(tx, clusterID)
				c.change(tx, b, &v, &cluster)
				config, _, err := Read(v)
				if err != nil {
					t.Error(err)
				}
				if got := b.Obstacle(tx, v, config, cluster); got != c.want {
					t.Errorf("got  %q\nwant %q", got, c.want)
				}
				return nil
			})
		})
	}
}
