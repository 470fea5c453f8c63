package emulator

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/api"
	"tripod/az"
	"tripod/internal/datadir"
	"tripod/internal/options"
	"tripod/internal/sdkclient"
)

// eks is an SDK client of the region's administrator.
func (r *testRegion) eks(t *testing.T) *eks.Client {
	t.Helper()
	key, err := datadir.ReadCredentials(r.dir.path)
	if err != nil {
		t.Fatal(err)
	}
	return eks.New(eks.Options{Region: r.options.Region, BaseEndpoint: aws.String(r.Status().AWSEndpoint),
		HTTPClient: sdkclient.New(&http.Transport{}, time.Minute),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: key.AccessKeyID, SecretAccessKey: key.SecretAccessKey}, nil
		})})
}

// subnets are the default network's, as far as a cluster needs them.
func (r *testRegion) subnets(t *testing.T) []string {
	t.Helper()
	demo, err := r.eks(t).DescribeCluster(t.Context(), &eks.DescribeClusterInput{Name: aws.String("demo")})
	if err != nil {
		t.Fatal(err)
	}
	return demo.Cluster.ResourcesVpcConfig.SubnetIds
}

func (r *testRegion) create(t *testing.T, name string) *types.Cluster {
	t.Helper()
	out, err := r.eks(t).CreateCluster(t.Context(), &eks.CreateClusterInput{Name: aws.String(name),
		RoleArn:            aws.String("arn:aws:iam::111122223333:role/eksClusterRole"),
		ResourcesVpcConfig: &types.VpcConfigRequest{SubnetIds: r.subnets(t)}})
	if err != nil {
		t.Fatal(err)
	}
	return out.Cluster
}

// awaitCluster waits until the EKS API shows that status; "" means that the cluster is gone.
func (r *testRegion) awaitCluster(t *testing.T, name, status string) (last *types.Cluster) {
	t.Helper()
	calls := r.eks(t)
	eventually(t, name+" is "+status, func() bool {
		out, err := calls.DescribeCluster(t.Context(), &eks.DescribeClusterInput{Name: aws.String(name)})
		if err != nil {
			return status == "" && errors.As(err, new(*types.ResourceNotFoundException))
		}
		last = out.Cluster
		return string(last.Status) == status
	}, func() any { return last })
	return last
}

func (r *testRegion) remove(t *testing.T, name string) {
	t.Helper()
	r.beginRemoval(t, name)
	r.awaitCluster(t, name, "")
}

func (r *testRegion) beginRemoval(t *testing.T, name string) {
	t.Helper()
	if _, err := r.eks(t).DeleteCluster(t.Context(), &eks.DeleteClusterInput{Name: aws.String(name)}); err != nil {
		t.Fatal(err)
	}
}

// TestClustersComeAndGo tells the life of clusters that the EKS API makes, in a region whose processes are played by
// the test's own binary.
func TestClustersComeAndGo(t *testing.T) {
	t.Parallel() // it waits more than it works
	r := newRegion(t, filepath.Join(t.TempDir(), "region"), func(o *options.Up) { o.Cluster = "demo" })
	r.start(t)
	for _, step := range []struct {
		name string
		run  func(*testing.T, *testRegion)
	}{
		{"a port is not given out again at once", testPortsGoRound},
		{"an old copy of the state changes nothing", testOldCopy},
		{"a zone that was away forgets a deleted cluster", testForgottenCluster},
		{"who may reach an endpoint", testEndpointAccess},
	} {
		if !t.Run(step.name, func(t *testing.T) { step.run(t, r) }) {
			return
		}
	}
	t.Run("an endpoint whose port is taken is opened later", func(t *testing.T) { testTakenEndpoint(t, r) })
}

func testPortsGoRound(t *testing.T, r *testRegion) {
	r.create(t, "first")
	before := aws.ToString(r.awaitCluster(t, "first", "ACTIVE").Endpoint)
	r.remove(t, "first")
	r.create(t, "second")
	eventually(t, "the stages of its creation are told", func() bool { return r.toldOfStages("second") == 6 },
		func() any { return r.Status() })
	if after := aws.ToString(r.awaitCluster(t, "second", "ACTIVE").Endpoint); after == before {
		t.Errorf("the second cluster is at %s, where the first one was a moment ago", after)
	}
	eventually(t, "both clusters are well", func() bool { return r.Status().Phase == api.PhaseReady },
		func() any { return r.Status() })
}

// toldOfStages is how many stages of a cluster's creation were told as complete, each once.
func (r *testRegion) toldOfStages(cluster string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	told := map[string]int{}
	for _, e := range r.events {
		if e.Type == "ClusterStage" && e.Cluster == cluster {
			told[e.Message]++
		}
	}
	for _, times := range told {
		if times > 1 {
			return -1
		}
	}
	return len(told)
}

func testOldCopy(t *testing.T, r *testRegion) {
	r.endpoints.mu.Lock()
	index := r.endpoints.index
	r.endpoints.mu.Unlock()
	r.endpoints.update(index-1, []az.ClusterState{{Name: "old", ID: "OLD", Status: "ACTIVE",
		EndpointPort: r.dir.marker.PortBase + clusterOffset}}, []api.Fault{{Target: "update/old"}})
	if s := r.Status(); len(s.Clusters) != 2 || len(s.Balancers) != 3 || s.Phase != api.PhaseReady || len(s.Faults) != 0 {
		t.Errorf("after an old copy was read: %+v", s)
	}
}

func testForgottenCluster(t *testing.T, r *testRegion) {
	r.create(t, "brief")
	r.awaitCluster(t, "brief", "ACTIVE")
	r.awaitPhase(t, api.PhaseReady)
	r.do(t, "kill", "az/b")
	r.beginRemoval(t, "brief")
	files := func() []string {
		found, _ := filepath.Glob(r.dir.file("zones", "*", "clusters", "*"))
		return found
	}
	eventually(t, "the other zones have deleted their part", func() bool { return len(files()) == 2*3+1 },
		func() any { return files() })
	r.do(t, "start", "az/b")
	r.awaitCluster(t, "brief", "")
	eventually(t, "its files are gone", func() bool { return len(files()) == 2*3 }, func() any { return files() })
	r.awaitPhase(t, api.PhaseReady)
}

func testEndpointAccess(t *testing.T, r *testRegion) {
	grant := func(want types.VpcConfigRequest) {
		t.Helper()
		made, err := r.eks(t).UpdateClusterConfig(t.Context(),
			&eks.UpdateClusterConfigInput{Name: aws.String("second"), ResourcesVpcConfig: &want})
		if err != nil {
			t.Fatal(err)
		}
		var update *eks.DescribeUpdateOutput
		eventually(t, "the access is in effect", func() bool { // each call is another client's, and may come to another zone
			update, err = r.eks(t).DescribeUpdate(t.Context(), &eks.DescribeUpdateInput{Name: aws.String("second"),
				UpdateId: made.Update.Id})
			return err == nil && update.Update.Status == types.UpdateStatusSuccessful
		}, func() any { return update })
		r.awaitCluster(t, "second", "ACTIVE")
	}
	second := func() api.Cluster { return r.Status().Clusters[1] }
	public := second().Endpoint
	grant(types.VpcConfigRequest{EndpointPublicAccess: aws.Bool(false), EndpointPrivateAccess: aws.Bool(true)})
	private := second().Private
	for url, open := range map[string]bool{public: false, private: true} {
		response, err := insecure.Get(url + "/readyz")
		if (err == nil) != open {
			t.Errorf("%s with private access only: %v", url, err)
		}
		if err == nil {
			response.Body.Close()
		}
	}
	eventually(t, "the refusal is told", func() bool { return r.told("EndpointRefused", "") },
		func() any { return r.Status() })
	if s := r.Status(); s.Phase != api.PhaseReady {
		t.Errorf("the region suffers: %+v", s)
	}
	grant(types.VpcConfigRequest{EndpointPublicAccess: aws.Bool(true), EndpointPrivateAccess: aws.Bool(false)})
	if response, err := insecure.Get(public + "/readyz"); err != nil || second().Private != "" {
		t.Errorf("public again: %v, %+v", err, second())
	} else {
		response.Body.Close()
	}
}

// insecure keeps no connections, and trusts any server: the tests ask who answers at all.
var insecure = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true,
	TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}

func testTakenEndpoint(t *testing.T, r *testRegion) {
	_, address, _ := strings.Cut(aws.ToString(r.awaitCluster(t, "second", "ACTIVE").Endpoint), "https://")
	r.shutDown(t)
	squatter, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer squatter.Close()
	again := newRegion(t, r.dir.path, nil)
	again.start(t) // demo and all else serve
	eventually(t, "the trouble shows", func() bool {
		return again.Status().Phase == api.PhaseDegraded &&
			again.told("EndpointFailed", "")
	},
		func() any { return again.Status() })
	eventually(t, "its health tells", func() bool {
		issues := again.awaitCluster(t, "second", "ACTIVE").Health.Issues
		return len(issues) == 1 && issues[0].Code == types.ClusterIssueCodeClusterUnreachable
	}, func() any { return again.Status() })
	squatter.Close()
	again.awaitPhase(t, api.PhaseReady)
	if !again.told("EndpointOpened", "") {
		t.Error("nobody was told that the endpoint is open")
	}
	eventually(t, "its health is good again", func() bool {
		return len(again.awaitCluster(t, "second",
			"ACTIVE").Health.Issues) == 0
	}, func() any { return again.Status() })
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if _, err := new(net.Dialer).DialContext(ctx, "tcp", address); err != nil {
		t.Error(err)
	}
}
