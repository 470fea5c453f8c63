package cloud

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"
	"k8s.io/controller-manager/pkg/clientbuilder"

	"tripod/apiserver/launch"
)

// fakeAWS is an EC2 endpoint of few words, and an endpoint for credentials, each on a socket.
type fakeAWS struct {
	launch.Cloud

	mu     sync.Mutex
	states map[string]string            // of instances, by id
	tags   map[string]map[string]string // by id
	calls  map[string]int               // by operation
	keys   map[string]bool              // that calls were signed with
}

func newAWS(t *testing.T, states map[string]string) *fakeAWS {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "cloud") // short: a socket's path is limited
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	f := &fakeAWS{states: maps.Clone(states), tags: map[string]map[string]string{}, calls: map[string]int{},
		keys: map[string]bool{}}
	f.Cloud = launch.Cloud{ClusterName: "demo", Region: "us-east-1", VPC: "vpc-1", URL: "http://127.0.0.1:4566",
		RoleARN:     "arn:aws:iam::111122223333:role/eksClusterRole",
		FrontSocket: filepath.Join(dir, "aws.sock"), CredentialsSocket: filepath.Join(dir, "role.sock")}
	issued := 0
	serve(t, f.FrontSocket, f.answer)
	serve(t, f.CredentialsSocket, func(w http.ResponseWriter, r *http.Request) {
		issued++
		json.NewEncoder(w).Encode(map[string]string{"AccessKeyId": fmt.Sprintf("ASIAKEY%d", issued),
			"SecretAccessKey": "secret", "Token": "token",
			"Expiration": time.Now().Add(time.Hour).UTC().Format(time.RFC3339)})
	})
	return f
}

func serve(t *testing.T, socket string, handler http.HandlerFunc) {
	t.Helper()
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
}

func (f *fakeAWS) set(id, state string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.states[id] = state
}

func (f *fakeAWS) tagsOf(id string) map[string]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.tags[id])
}

func (f *fakeAWS) called(operation string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[operation]
}

func (f *fakeAWS) signers() map[string]bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.keys)
}

func (f *fakeAWS) answer(w http.ResponseWriter, r *http.Request) {
	r.ParseForm()
	f.mu.Lock()
	defer f.mu.Unlock()
	operation := r.Form.Get("Action")
	f.calls[operation]++
	_, credential, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	key, _, _ := strings.Cut(credential, "/")
	f.keys[key+"/"+r.Header.Get("X-Amz-Security-Token")] = true
	list := func(prefix string) (values []string) {
		for i := 1; r.Form.Has(fmt.Sprintf("%s.%d", prefix, i)); i++ {
			values = append(values, r.Form.Get(fmt.Sprintf("%s.%d", prefix, i)))
		}
		return values
	}
	switch operation {
	case "DescribeInstances":
		ids := list("InstanceId")
		if ids == nil { // by the private DNS name: the cloud leaves out those without the cluster's tag
			ids = slices.Sorted(maps.Keys(f.states))
		}
		text := ""
		for _, id := range ids {
			if f.states[id] == "" {
				refuse(w, "InvalidInstanceID.NotFound", fmt.Sprintf("The instance ID '%s' does not exist", id))
				return
			}
			text += instance(id, f.states[id])
		}
		fmt.Fprintf(w, "<DescribeInstancesResponse><reservationSet><item><instancesSet>%s</instancesSet></item></reservationSet>"+
			"</DescribeInstancesResponse>", text)
	case "DescribeAvailabilityZones":
		fmt.Fprint(w, "<DescribeAvailabilityZonesResponse><availabilityZoneInfo><item><zoneName>us-east-1a</zoneName>"+
			"<zoneId>use1-az1</zoneId></item></availabilityZoneInfo></DescribeAvailabilityZonesResponse>")
	case "DescribeInstanceTopology":
		fmt.Fprint(w, "<DescribeInstanceTopologyResponse><instanceSet/></DescribeInstanceTopologyResponse>")
	case "CreateTags", "DeleteTags":
		for _, id := range list("ResourceId") {
			if f.states[id] == "" {
				refuse(w, "InvalidInstanceID.NotFound", fmt.Sprintf("The instance ID '%s' does not exist", id))
				return
			}
			if f.tags[id] == nil {
				f.tags[id] = map[string]string{}
			}
			if name := r.Form.Get("Tag.1.Key"); operation == "CreateTags" {
				f.tags[id][name] = r.Form.Get("Tag.1.Value")
			} else {
				delete(f.tags[id], name)
			}
		}
		fmt.Fprintf(w, "<%sResponse><return>true</return></%sResponse>", operation, operation)
	default:
		refuse(w, "InvalidAction", "The action "+operation+" is not valid for this web service.")
	}
}

func refuse(w http.ResponseWriter, code, message string) {
	w.WriteHeader(http.StatusBadRequest)
	fmt.Fprintf(w, "<Response><Errors><Error><Code>%s</Code><Message>%s</Message></Error></Errors></Response>", code, message)
}

// instance is one with the address 10.0.0.10.
func instance(id, state string) string {
	return "<item><instanceId>" + id + "</instanceId><instanceState><name>" + state + "</name></instanceState>" +
		"<privateDnsName>" + nodeName + "</privateDnsName><instanceType>t3.medium</instanceType>" +
		"<placement><availabilityZone>us-east-1a</availabilityZone></placement><networkInterfaceSet><item>" +
		"<status>in-use</status><attachment><deviceIndex>0</deviceIndex></attachment><privateIpAddressesSet><item>" +
		"<privateIpAddress>10.0.0.10</privateIpAddress></item></privateIpAddressesSet></item></networkInterfaceSet>" +
		"<tagSet><item><key>kubernetes.io/cluster/demo</key><value>owned</value></item></tagSet></item>"
}

// account is what each service account has for a client.
type account struct{ kubernetes.Interface }

func (a account) Config(string) (*rest.Config, error)                { return &rest.Config{}, nil }
func (a account) ConfigOrDie(string) *rest.Config                    { return &rest.Config{} }
func (a account) Client(string) (kubernetes.Interface, error)        { return a.Interface, nil }
func (a account) ClientOrDie(string) kubernetes.Interface            { return a.Interface }
func (a account) DiscoveryClient(string) (discoveryInterface, error) { return a.Discovery(), nil }
func (a account) DiscoveryClientOrDie(string) discoveryInterface     { return a.Discovery() }

var _ clientbuilder.ControllerClientBuilder = account{}

// manage runs a manager over a cluster that has those nodes, until the test ends.
func manage(t *testing.T, f *fakeAWS, nodes ...*corev1.Node) *fake.Clientset {
	t.Helper()
	var objects []runtime.Object
	for _, node := range nodes {
		objects = append(objects, node)
	}
	return manageOn(t, f.Cloud, objects...)
}

// manageOn runs a manager over a cluster that has those objects and is in that cloud, until the test ends.
func manageOn(t *testing.T, config launch.Cloud, objects ...runtime.Object) *fake.Clientset {
	t.Helper()
	cluster := fake.NewClientset()
	for _, object := range objects {
		if err := cluster.Tracker().Add(object); err != nil {
			t.Fatal(err)
		}
	}
	m := New(config)
	m.monitor = 50 * time.Millisecond
	var err error
	if m.cloud, err = newCloud(config); err != nil {
		t.Fatal(err)
	}
	m.root, m.clients = cluster, account{cluster}
	m.cloud.Initialize(account{cluster}, nil)
	done := make(chan error, 1)
	ctx := t.Context() // ends before the cleanups
	go func() { done <- m.Run(ctx) }()
	t.Cleanup(func() {
		if err := <-done; err != nil {
			t.Errorf("the manager ends with %v", err)
		}
	})
	return cluster
}
