package boot

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var fromAL2 = Config{
	ClusterName: "demo", Endpoint: "https://ABC.gr7.us-east-1.eks.amazonaws.com", CA: []byte("CA"), MaxPods: 20,
	ClusterDNS: []string{"172.20.0.10"}, Labels: map[string]string{"a": "b", "c": "d e"[:1]},
	Taints: []Taint{{"k", "v", "NoSchedule"}, {"x", "", "NoExecute"}},
}

func TestBootstrapScriptIsReadAsItIsWritten(t *testing.T) {
	const called = `#!/bin/bash -xe
exec > >(tee /var/log/user-data.log|logger -t user-data -s 2>/dev/console) 2>&1
# /etc/eks/bootstrap.sh of-nobody
cat <<'EOF' > /etc/motd
/etc/eks/bootstrap.sh of-a-file
EOF
ENDPOINT=https://ABC.gr7.us-east-1.eks.amazonaws.com; export CA="Q0E="
TOKEN=$(curl -X PUT http://169.254.169.254/latest/api/token)
sudo /etc/eks/bootstrap.sh 'demo' --apiserver-endpoint "${ENDPOINT}" \
  --b64-cluster-ca $CA --container-runtime containerd --dns-cluster-ip ${DNS:-172.20.0.10} --use-max-pods false \
  --kubelet-extra-args '--node-labels="a=b,c=d" --register-with-taints=k=v:NoSchedule,x:NoExecute --max-pods=20'
`
	want := fromAL2
	want.Flags = []string{`--node-labels="a=b,c=d" --register-with-taints=k=v:NoSchedule,x:NoExecute --max-pods=20`}
	for name, userData := range map[string]string{
		"script": called, "part": document([2]string{"text/x-shellscript", "#!/bin/sh\ntrue"},
			[2]string{`text/x-shellscript; charset="us-ascii"`, called}),
	} {
		if diff := cmp.Diff(want, parsed(t, userData, AL2)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
	if _, lines, err := Parse([]byte(called), AL2); err != nil || strings.Contains(strings.Join(lines, "\n"), "has been removed") ||
		!strings.Contains(strings.Join(lines, "\n"), "only the call of /etc/eks/bootstrap.sh counts") {
		t.Errorf("the console of Amazon Linux 2, which has a bootstrap.sh: %v, %q", err, lines)
	}
	if c := parsed(t, "#!/bin/bash\n/etc/eks/bootstrap.sh demo", AL2); !c.NeedsDescribe || c.ClusterName != "demo" || c.MaxPods != 0 {
		t.Errorf("without an endpoint: %+v", c)
	}
}

func TestBootstrapScriptRefusesInItsOwnWords(t *testing.T) {
	for call, want := range map[string]string{
		"/etc/eks/bootstrap.sh": "cluster name is not defined!",
		"/etc/eks/bootstrap.sh a --container-runtime dockerd": "" +
			"containerd is the only supported container runtime as of Kubernetes version 1.24",
		"/etc/eks/bootstrap.sh a --ip-family ipv5":                  "Invalid --ip-family. Only ipv4 or ipv6 are allowed",
		"/etc/eks/bootstrap.sh a --kubelet-extra-args":              "unbound variable",
		"/etc/eks/bootstrap.sh a --kubelet-extra-args --max-pods=x": `invalid argument "x" for "--max-pods" flag`,
		"yum update": "do not call /etc/eks/bootstrap.sh",
	} {
		_, lines, err := Parse([]byte("#!/bin/bash\n"+call+"\n"), AL2)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(strings.Join(lines, "\n"), want) {
			t.Errorf("%s: %v, want %q; console: %q", call, err, want, lines)
		}
	}
	if _, _, err := Parse([]byte("<powershell>"), Windows); err == nil {
		t.Error("Windows boots")
	}
}
