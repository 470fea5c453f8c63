package elb_test

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"tripod/awsapi/apitest"
	"tripod/awsapi/ec2"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

// What the AWS Load Balancer Controller sent, in its order: its main branch of August 2026 (225f445), unmodified, with its
// webhooks, its CRDs and no more than its published IAM policy, for an Ingress with two paths to pods, one to nodes, and a
// Service of the class service.k8s.aws/nlb; the pods, with its readiness gates, were replaced, and then all was deleted. Each
// line is a service and the body of a call; in the places of what calls had made are their names, such as @group2@.
var (
	//go:embed testdata/controller_calls.txt
	controllerCalls string
	//go:embed testdata/controller_policy.json
	controllerPolicy string
)

// controllerMakes are the operations whose answers name what they have made, and what the calls call it.
var controllerMakes = map[string]struct {
	name    string
	element *regexp.Regexp
}{
	"CreateSecurityGroup": {"sg", regexp.MustCompile(`<groupId>([^<]+)</groupId>`)},
	"CreateTargetGroup":   {"group", regexp.MustCompile(`<TargetGroupArn>([^<]+)</TargetGroupArn>`)},
	"CreateLoadBalancer":  {"balancer", regexp.MustCompile(`<LoadBalancerArn>([^<]+)</LoadBalancerArn>`)},
	"CreateListener":      {"listener", regexp.MustCompile(`<ListenerArn>([^<]+)</ListenerArn>`)},
	"CreateRule":          {"rule", regexp.MustCompile(`<RuleArn>([^<]+)</RuleArn>`)},
	"DescribeRules":       {"default", regexp.MustCompile(`<RuleArn>([^<]+)</RuleArn>`)}, // that of a listener's own actions
}

// controllerCluster is the id of the cluster that it ran for: by it the nodes' security group has its id.
const controllerCluster = "E35F1B633BBADE54B6F0089CB65A4B2C"

func TestAWSLoadBalancerControllersCalls(t *testing.T) {
	vpc := ec2.VPC{AccountID: iam.DefaultAccountID, Region: apitest.Region, Zones: []string{"us-east-1a", "us-east-1b", "us-east-1c"}}
	w := apitest.New(t, func(tx *state.Txn) {
		region.Clusters.Put(tx, controllerCluster, region.Cluster{ID: controllerCluster, Name: "demo", Status: region.ClusterActive})
		for i, id := range []string{"i-01499766c45255195", "i-0264ce56c75f69632", "i-0dbd1b452ee1897a7"} {
			region.Instances.Put(tx, id, region.Instance{ID: id, State: region.InstanceRunning, Zone: vpc.Zones[i], VPCID: vpc.ID(),
				SubnetID: vpc.SubnetIDs()[i], Address: fmt.Sprintf("10.0.%d.10", 16*i), Launch: region.InstanceLaunch{Type: "t3.medium"}})
		}
	})
	w.User("controller")
	w.Write(func(tx *state.Txn) {
		u, _ := region.Users.Get(tx, "controller")
		u.Inline = map[string]string{"published": controllerPolicy}
		region.Users.Put(tx, u.Name, u)
	})
	made, count := map[string]string{}, map[string]int{}
	for n, line := range strings.Split(strings.TrimSpace(controllerCalls), "\n") {
		service, body, _ := strings.Cut(line, " ")
		body = regexp.MustCompile(`@\w+@`).ReplaceAllStringFunc(body, func(name string) string {
			if made[name] == "" {
				t.Fatalf("call %d names %s, which none has made", n+1, name)
			}
			return url.QueryEscape(made[name])
		})
		status, answer := send(t, w, service, body)
		if status != http.StatusOK {
			t.Fatalf("call %d, %s %s: %d %s", n+1, service, body, status, answer)
		}
		values, _ := url.ParseQuery(body)
		if makes, found := controllerMakes[values.Get("Action")]; found {
			for _, match := range makes.element.FindAllStringSubmatch(answer, -1) {
				if !slices.Contains(slices.Collect(maps.Values(made)), match[1]) {
					count[makes.name]++
					made[fmt.Sprintf("@%s%d@", makes.name, count[makes.name])] = match[1]
				}
			}
		}
	}
	if count["balancer"] != 3 || count["group"] != 4 || count["rule"] != 2 || count["sg"] != 4 {
		t.Errorf("made %v", count)
	}
	w.View(func(tx *state.Txn) error {
		if left := len(region.LoadBalancers.List(tx)) + len(region.TargetGroups.List(tx)) + len(region.Targets.List(tx)); left > 0 {
			t.Errorf("%d of its objects are left", left)
		}
		return nil
	})
}

// send sends a call in the query protocol as the controller, signed, and returns the answer.
func send(t *testing.T, w *apitest.World, service, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.URL, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	keys, err := w.Config("controller").Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(body))
	if err := v4.NewSigner().SignHTTP(t.Context(), keys, r, hex.EncodeToString(sum[:]), service, apitest.Region, time.Now()); err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(answer)
}
