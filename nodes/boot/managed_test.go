package boot

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// managed is what EKS starts a node group's instances with.
var managed = Config{
	ClusterName: "demo", Endpoint: "https://ABC.gr7.us-east-1.eks.amazonaws.com", CA: []byte("CA"), ServiceCIDR: "10.100.0.0/16",
	MaxPods: 17, Labels: map[string]string{"eks.amazonaws.com/nodegroup": "ng", "team": "blue"},
	Taints: []Taint{{"a", "b", "NoSchedule"}, {"a", "", "NoExecute"}},
}

// written is what EKS writes for a launch template without user data.
func written(t *testing.T, family Family) string {
	t.Helper()
	text, err := MergeManaged(nil, managed, family)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestEveryFamilyReadsWhatEKSWrites(t *testing.T) {
	for _, family := range []Family{AL2023, AL2, Bottlerocket} {
		userData := written(t, family)
		got := parsed(t, userData, family)
		want := managed
		want.ClusterDNS, want.Flags = []string{"10.100.0.10"}, got.Flags
		if family != AL2023 {
			want.ServiceCIDR = ""
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s\n%s", family, diff, userData)
		}
	}
}

func TestUserDataOfLaunchTemplatesAreMerged(t *testing.T) {
	users := document([2]string{nodeConfigMedia, `{"apiVersion":"node.eks.aws/v1alpha1","kind":"NodeConfig","spec":{"kubelet":
		{"config":{"maxPods":99,"kubeReserved":{"memory":"1Gi"}},"flags":["--node-labels=mine=1,team=red"]}}}`},
		[2]string{"text/x-shellscript", "#!/bin/bash\necho hello"})
	merged, err := MergeManaged([]byte(users), managed, AL2023)
	if err != nil {
		t.Fatal(err)
	}
	got := parsed(t, merged, AL2023)
	labels := maps.Clone(managed.Labels)
	labels["mine"] = "1"
	if got.MaxPods != 17 || got.KubeReserved.Values["memory"] != "1Gi" || !maps.Equal(got.Labels, labels) {
		t.Errorf("merged: %+v", got)
	}
	if !strings.Contains(merged, "echo hello") {
		t.Errorf("the user's script is lost:\n%s", merged)
	}
	if _, err = MergeManaged([]byte("#!/bin/bash"), managed, AL2023); err == nil ||
		err.Error() != "User data was not in the MIME multipart format." {
		t.Errorf("a bare script: %v", err)
	}
	if merged, err = MergeManaged([]byte(users), managed, AL2); err != nil || parsed(t, merged, AL2).ClusterName != "demo" {
		t.Errorf("of Amazon Linux 2: %v\n%s", err, merged)
	}
}

func TestSettingsOfUsersCountMore(t *testing.T) {
	users := `
# mine
[settings.kubernetes]
max-pods = 50
cluster-name = "other" # EKS's counts
cluster-dns-ip = '10.0.0.10'
[settings.kubernetes.node-labels]
"team" = "red"
mine = '1'
[settings.kubernetes.eviction-hard]
"memory.available" = "15%"
[settings.kubernetes.node-taints]
dedicated = ["gpu:NoSchedule",
  "gpu:NoExecute"]
[settings.host-containers.admin]
enabled = true
user-data = """
a
b"""
[[settings.x]]
n = 1_000
f = -1.5
t = { a = "b" }
`
	merged, err := MergeManaged([]byte(users), managed, Bottlerocket)
	if err != nil {
		t.Fatal(err)
	}
	got := parsed(t, merged, Bottlerocket)
	want := Config{
		ClusterName: "demo", Endpoint: managed.Endpoint, CA: managed.CA, ClusterDNS: []string{"10.0.0.10"}, MaxPods: 50,
		Labels: map[string]string{"eks.amazonaws.com/nodegroup": "ng", "team": "red", "mine": "1"},
		Taints: []Taint{{"a", "b", "NoSchedule"}, {"a", "", "NoExecute"}, {"dedicated", "gpu", "NoSchedule"},
			{"dedicated", "gpu", "NoExecute"}},
		EvictionHard: Override{Values: map[string]string{"memory.available": "15%"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s\n%s", diff, merged)
	}
	for _, part := range []string{"[settings.host-containers.admin]", `user-data = "a\nb"`, "n = 1000"} {
		if !strings.Contains(merged, part) {
			t.Errorf("the merged settings lack %s:\n%s", part, merged)
		}
	}
}

func TestSettingsThatAreNoneAreRefused(t *testing.T) {
	for userData, want := range map[string]string{
		"":                     "settings.kubernetes.cluster-name is missing",
		"[settings.kubernetes": "TOML parse error at line 1, column 21",
		"a = b":                "string values must be quoted",
		"a = 1\na = 2":         "duplicate key `a`",
		"[a]\n[a]":             "duplicate key `a`",
		"#!/bin/bash\necho hi": "TOML parse error at line 2",
		"[settings.kubernetes]\ncluster-name='a'\napi-server='b'": "" +
			"settings.kubernetes.cluster-certificate is missing",
		strings.Replace(written(t, Bottlerocket), `"team"`, "x", 1) + "[settings.kubernetes.kube-reserved]\na = 1 2": "expected newline",
	} {
		_, _, err := Parse([]byte(userData), Bottlerocket)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", userData, err, want)
		}
	}
}
