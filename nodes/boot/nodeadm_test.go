package boot

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const al2023 = `apiVersion: node.eks.aws/v1alpha1
kind: NodeConfig
spec:
  cluster:
    name: demo
    apiServerEndpoint: https://ABC.gr7.us-east-1.eks.amazonaws.com
    certificateAuthority: Q0E=
    cidr: 10.100.0.0/16
  kubelet:
    config:
      maxPods: 17
      clusterDNS: [10.100.0.10]
      kubeReserved: {memory: 500Mi}
      registerWithTaints: [{key: a, value: b, effect: NoSchedule}]
    flags:
    - "--node-labels=eks.amazonaws.com/nodegroup=ng,team=\"blue\""
  featureGates: {InstanceIdNodeName: true}
`

var fromAL2023 = Config{
	ClusterName: "demo", Endpoint: "https://ABC.gr7.us-east-1.eks.amazonaws.com", CA: []byte("CA"), ServiceCIDR: "10.100.0.0/16",
	ClusterDNS: []string{"10.100.0.10"}, MaxPods: 17, Taints: []Taint{{"a", "b", "NoSchedule"}},
	Labels:       map[string]string{"eks.amazonaws.com/nodegroup": "ng", "team": "blue"},
	KubeReserved: Override{Values: map[string]string{"memory": "500Mi"}},
	FeatureGates: map[string]bool{"InstanceIdNodeName": true},
	Flags:        []string{`--node-labels=eks.amazonaws.com/nodegroup=ng,team="blue"`},
}

// bare is a configuration without the documents that it is made of.
func bare(c Config) Config {
	c.KubeletConfig = nil
	return c
}

func parsed(t *testing.T, userData string, family Family) Config {
	t.Helper()
	c, lines, err := Parse([]byte(userData), family)
	if err != nil {
		t.Fatalf("Parse = %v, console:\n%s", err, strings.Join(lines, "\n"))
	}
	return bare(c)
}

func TestNodeConfigIsReadAloneEncodedAndPacked(t *testing.T) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write([]byte(al2023))
	_ = w.Close()
	for name, userData := range map[string]string{
		"alone": al2023, "base64": base64.StdEncoding.EncodeToString([]byte(al2023)), "gzip": packed.String(),
		"base64 of gzip": base64.StdEncoding.EncodeToString(packed.Bytes()),
	} {
		if diff := cmp.Diff(fromAL2023, parsed(t, userData, AL2023)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
	c := parsed(t, al2023, AL2023)
	if !c.NamedByInstanceID() || c.KubeReserved.Over(map[string]string{"cpu": "70m", "memory": "574Mi"})["cpu"] != "70m" {
		t.Errorf("the feature gate or the image's own reservation is lost: %+v", c)
	}
}

// document is a document with parts of [media type, body].
func document(parts ...[2]string) string {
	text := "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"//\"\n\n"
	for _, p := range parts {
		text += "--//\nContent-Type: " + p[0] + "\n\n" + p[1] + "\n"
	}
	return text + "--//--\n"
}

func TestLaterPartsCountAndFlagsAreAppended(t *testing.T) {
	users := `{"apiVersion":"node.eks.aws/v1alpha1","kind":"NodeConfig","spec":{"kubelet":{"config":{"maxPods":99,
		"kubeReserved":{"cpu":"1","memory":"1Gi"}},"flags":["--node-labels=team=red,mine=1","--register-with-taints=x:NoExecute"]}}}`
	userData := document([2]string{nodeConfigMedia, users}, [2]string{`text/x-shellscript; charset="us-ascii"`, "#!/bin/bash\ntrue"},
		[2]string{nodeConfigMedia, al2023})
	c, lines, err := Parse([]byte(userData), AL2023)
	if err != nil {
		t.Fatal(err)
	}
	want := fromAL2023
	want.Labels = map[string]string{"eks.amazonaws.com/nodegroup": "ng", "team": "blue", "mine": "1"}
	want.KubeReserved.Values = map[string]string{"cpu": "1", "memory": "500Mi"}
	want.Taints = []Taint{{"x", "", "NoExecute"}} // a flag counts more than the configuration file
	want.Flags = []string{"--node-labels=team=red,mine=1", "--register-with-taints=x:NoExecute", fromAL2023.Flags[0]}
	if diff := cmp.Diff(want, bare(c)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if text := strings.Join(lines, "\n"); !strings.Contains(text, "shell script of part-002") {
		t.Errorf("the console says nothing of the shell script:\n%s", text)
	}
}

func TestNodeadmRefusesInItsOwnWords(t *testing.T) {
	without := func(member string) string {
		var lines []string
		for line := range strings.SplitSeq(al2023, "\n") {
			if !strings.HasPrefix(strings.TrimSpace(line), member) {
				lines = append(lines, line)
			}
		}
		return strings.Join(lines, "\n")
	}
	for _, test := range []struct{ name, userData, want, console string }{
		{"no name", without("name:"), "Name is missing in cluster configuration", "fatal"},
		{"no endpoint", without("apiServerEndpoint"), "Apiserver endpoint is missing in cluster configuration", "fatal"},
		{"no CA", without("certificateAuthority"), "Certificate authority is missing in cluster configuration", "fatal"},
		{"no CIDR", without("cidr"), "CIDR is missing in cluster configuration", "fatal"},
		{"nothing", "", "no config in chain", "Object 'Kind' is missing in 'null'"},
		{"a script", "#!/bin/bash\n/etc/eks/bootstrap.sh demo\n", "no config in chain", "bootstrap.sh has been removed"},
		{"no part", document([2]string{"text/x-shellscript", "#!/bin/sh"}), "no config in chain",
			"could not find NodeConfig within UserData"},
		{"other version", strings.Replace(al2023, "v1alpha1", "v1", 1), "no config in chain", "no kind"},
		{"label", strings.Replace(al2023, "team=", "node-role.kubernetes.io/worker=", 1),
			"failed to validate kubelet flags: unknown 'kubernetes.io' or 'k8s.io' labels specified with --node-labels: " +
				"[node-role.kubernetes.io/worker]", ""},
		{"taint", strings.Replace(al2023, "NoSchedule", "Never", 1), "invalid taint effect: Never", ""},
	} {
		_, lines, err := Parse([]byte(test.userData), AL2023)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: Parse = %v, want %q", test.name, err, test.want)
		}
		if text := strings.Join(lines, "\n"); !strings.Contains(text, test.console) {
			t.Errorf("%s: the console lacks %q:\n%s", test.name, test.console, text)
		}
	}
}
