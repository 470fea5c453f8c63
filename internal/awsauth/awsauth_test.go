package awsauth

import (
	"context"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func TestEntriesAreThoseThatEKSWrites(t *testing.T) {
	const arn = "arn:aws:iam::111122223333:role/team/worker"
	for kind, want := range map[Kind]string{
		Linux: "- groups:\n  - system:bootstrappers\n  - system:nodes\n  rolearn: arn:aws:iam::111122223333:role/worker\n" +
			"  username: system:node:{{EC2PrivateDNSName}}\n",
		Windows: "- groups:\n  - system:bootstrappers\n  - system:nodes\n  - eks:kube-proxy-windows\n" +
			"  rolearn: arn:aws:iam::111122223333:role/worker\n  username: system:node:{{EC2PrivateDNSName}}\n",
		Fargate: "- groups:\n  - system:bootstrappers\n  - system:nodes\n  - system:node-proxier\n" +
			"  rolearn: arn:aws:iam::111122223333:role/worker\n  username: system:node:{{SessionName}}\n",
	} {
		ctx, m := context.Background(), Map{fake.NewClientset()}
		for range 2 { // once more changes nothing
			if err := m.Add(ctx, arn, kind); err != nil {
				t.Fatal(err)
			}
		}
		config, err := m.Client.CoreV1().ConfigMaps("kube-system").Get(ctx, name, metav1.GetOptions{})
		if err != nil || config.Data[mapRoles] != want {
			t.Errorf("%s: got %q, %v", kind, config.Data[mapRoles], err)
		}
		if err := m.Remove(ctx, arn); err != nil {
			t.Fatal(err)
		}
		if there, err := m.Has(ctx, arn); there || err != nil {
			t.Errorf("%s: it is still there (%v)", kind, err)
		}
	}
}

func TestRolesAreMappedBesideWhatIsThere(t *testing.T) {
	const arn = "arn:aws:iam::111122223333:role/team/worker"
	const entry = "- groups:\n  - system:bootstrappers\n  - system:nodes\n  rolearn: arn:aws:iam::111122223333:role/worker\n" +
		"  username: system:node:{{EC2PrivateDNSName}}\n"
	own := "# ours\n- rolearn: arn:aws:iam::111122223333:role/ops\n  username: ops\n"
	for what, before := range map[string]string{"none": "", "empty": "[]\n", "own": own, "without an end": strings.TrimSpace(own),
		"indented": "  - rolearn: arn:aws:iam::111122223333:role/ops\n    username: ops\n"} {
		ctx := context.Background()
		client := fake.NewClientset()
		if what != "none" {
			client = fake.NewClientset(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "aws-auth", Namespace: "kube-system"},
				Data: map[string]string{"mapRoles": before, "mapUsers": "[]"}})
		}
		m := Map{client}
		for range 2 {
			if err := m.Add(ctx, arn, Linux); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
		}
		config, err := client.CoreV1().ConfigMaps("kube-system").Get(ctx, "aws-auth", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		all, err := roles(config)
		if text := config.Data["mapRoles"]; err != nil || !strings.HasSuffix(text, entry) || strings.Count(text, "role/worker") != 1 ||
			what == "own" && text != own+entry || len(all) != 1+strings.Count(before, "rolearn") {
			t.Errorf("%s: got\n%s(%v)", what, text, err)
		}
		if there, err := m.Has(ctx, arn); !there || err != nil {
			t.Errorf("%s: it is not mapped, %v", what, err)
		}
		if err := m.Remove(ctx, arn); err != nil {
			t.Fatal(err)
		}
		config, _ = client.CoreV1().ConfigMaps("kube-system").Get(ctx, "aws-auth", metav1.GetOptions{})
		if there, _ := m.Has(ctx, arn); there || strings.Contains(config.Data["mapRoles"], "ops") != strings.Contains(before, "ops") {
			t.Errorf("%s: after it was taken away: %s", what, config.Data["mapRoles"])
		}
	}
}
