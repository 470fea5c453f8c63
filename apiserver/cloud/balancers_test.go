package cloud

import (
	"crypto/md5"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"

	"tripod/apiserver/launch"
	"tripod/awsapi/apitest"
	"tripod/awsapi/ec2"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

// newRegion is Tripod's own AWS endpoint, whose callers have what the role of a cluster may do and no more. It has one
// instance of the cluster, in the first private subnet.
func newRegion(t *testing.T) (*apitest.World, launch.Cloud) {
	t.Helper()
	vpc := ec2.VPC{AccountID: iam.DefaultAccountID, Region: apitest.Region,
		Zones: []string{"us-east-1a", "us-east-1b", "us-east-1c"}}
	network := &ec2.Service{VPC: vpc}
	w := apitest.New(t, func(tx *state.Txn) {
		region.Instances.Put(tx, instanceID, region.Instance{ID: instanceID, State: region.InstanceRunning, Zone: vpc.Zones[0],
			VPCID: vpc.ID(), SubnetID: vpc.SubnetIDs()[0], Address: "10.0.0.10", DNSName: nodeName,
			Launch: region.InstanceLaunch{Type: "t3.medium", ImageID: "ami-1", Groups: []string{network.DefaultGroup(vpc.ID())}}})
		network.SetTags(tx, instanceID, map[string]string{"kubernetes.io/cluster/demo": "owned"})
	})
	w.User("cluster", "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy")
	keys, err := w.Config("cluster").Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("/tmp", "cloud") // short: a socket's path is limited
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	c := launch.Cloud{ClusterName: "demo", Region: apitest.Region, VPC: vpc.ID(), URL: "http://127.0.0.1:4566",
		RoleARN:     "arn:aws:iam::" + iam.DefaultAccountID + ":role/eksClusterRole",
		FrontSocket: filepath.Join(dir, "aws.sock"), CredentialsSocket: filepath.Join(dir, "role.sock")}
	serve(t, c.FrontSocket, w.Front.Handler().ServeHTTP)
	serve(t, c.CredentialsSocket, func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(map[string]string{"AccessKeyId": keys.AccessKeyID, "SecretAccessKey": keys.SecretAccessKey})
	})
	return w, c
}

// wanted is a Service of the type LoadBalancer.
func wanted(name string, annotations map[string]string) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, Annotations: annotations,
			UID: "01234567-89ab-cdef-0123-456789abcdef"},
		Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, SessionAffinity: corev1.ServiceAffinityNone,
			ExternalTrafficPolicy: corev1.ServiceExternalTrafficPolicyCluster, Ports: []corev1.ServicePort{{Name: "http", Protocol: "TCP",
				Port: 80, TargetPort: intstr.FromInt32(8080), NodePort: 30080}}},
	}
}

// clusterTagHash is the label that the tagging controller gives to nodes whose instances have its tag.
var clusterTagHash = fmt.Sprintf("%x", md5.Sum([]byte("aws:eks:cluster-name=demo")))

// awaits polls until what holds is true.
func awaits(t *testing.T, cluster kubernetes.Interface, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			events, _ := cluster.CoreV1().Events("").List(t.Context(), metav1.ListOptions{})
			for _, e := range events.Items {
				t.Log(e.Reason, e.Message)
			}
			t.Fatal(what, " did not come to be")
		}
	}
}

func TestServicesGetTheLoadBalancersOfTheirAnnotations(t *testing.T) {
	const name = "a0123456789abcdef0123456789abcde"
	for kind, c := range map[string]struct {
		annotations map[string]string
		key, dns    string
		listens     func(tx *state.Txn, b region.LoadBalancer) (ports []int)
	}{
		"classic": {nil, region.BalancerKey(true, name), name + "-", func(_ *state.Txn, b region.LoadBalancer) (ports []int) {
			for _, l := range b.Classic.Listeners {
				ports = append(ports, l.Port, l.InstancePort)
			}
			return ports
		}},
		"network": {map[string]string{"service.beta.kubernetes.io/aws-load-balancer-type": "nlb"}, region.BalancerKey(false, name),
			name + "-", func(tx *state.Txn, b region.LoadBalancer) (ports []int) {
				for _, l := range region.ListenersOf(tx, b) {
					g, _ := region.TargetGroups.Get(tx, region.TargetGroupName(region.GroupsIn(l.Actions)[0]))
					ports = append(ports, l.Port, g.Port)
				}
				return ports
			}},
	} {
		t.Run(kind, func(t *testing.T) {
			w, config := newRegion(t)
			node := registered()
			node.Spec.Taints = nil
			node.Labels["k8s.io/cloud-provider-aws"] = clusterTagHash // it is tagged already, which takes the cluster's own role
			cluster := manageOn(t, config, wanted("web", c.annotations), node)
			services := cluster.CoreV1().Services("default")
			awaits(t, cluster, "the hostname", func() bool {
				got, err := services.Get(t.Context(), "web", metav1.GetOptions{})
				return err == nil && len(got.Status.LoadBalancer.Ingress) == 1 &&
					strings.HasPrefix(got.Status.LoadBalancer.Ingress[0].Hostname, c.dns) &&
					strings.HasSuffix(got.Status.LoadBalancer.Ingress[0].Hostname, ".localhost")
			})
			w.View(func(tx *state.Txn) error {
				b, _ := region.LoadBalancers.Get(tx, c.key)
				if ports := c.listens(tx, b); !slices.Equal(ports, []int{80, 30080}) {
					t.Errorf("it listens on %v", ports)
				}
				if b.Tags["kubernetes.io/service-name"] != "default/web" || len(b.Zones) != 3 || b.Scheme != region.SchemeInternetFacing {
					t.Errorf("it is %+v", b)
				}
				if targets := region.TargetsByID.Of(instanceID).List(tx); len(targets) != 1 {
					t.Errorf("its targets are %+v", targets)
				}
				return nil
			})
			svc, err := services.Get(t.Context(), "web", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			svc.Spec.Ports[0].NodePort = 30081 // a Service that has its name already is kept as well
			if svc, err = services.Update(t.Context(), svc, metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
			awaits(t, cluster, "the new port of the nodes", func() (is bool) {
				w.View(func(tx *state.Txn) error {
					b, _ := region.LoadBalancers.Get(tx, c.key)
					is = slices.Equal(c.listens(tx, b), []int{80, 30081})
					return nil
				})
				return is
			})
			now := metav1.Now()
			svc.DeletionTimestamp = &now // the API server would set it, and keep the Service for its finalizer
			if _, err := services.Update(t.Context(), svc, metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
			awaits(t, cluster, "the end of what was made", func() (gone bool) {
				w.View(func(tx *state.Txn) error {
					gone = len(region.LoadBalancers.List(tx))+len(region.TargetGroups.List(tx))+len(region.Targets.List(tx)) == 0
					return nil
				})
				return gone
			})
		})
	}
}
