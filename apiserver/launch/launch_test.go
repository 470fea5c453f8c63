package launch

import (
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"tripod/internal/version"
)

var update = flag.Bool("update", false, "write the golden files anew")

const encryptionKey = "c2VjcmV0IGtleSBvZiAzMiBieXRlcyBmb3IgYSB0ZXN0"

func example(dir string) Controllers {
	return Controllers{ClusterName: "demo", APIServer: APIServer{
		Dir: dir, Zone: "us-east-1a", ClusterID: "0123456789ABCDEF0123456789ABCDEF", Version: "1.36", Port: 20011,
		Advertise:     netip.MustParseAddr("10.0.0.10"),
		EtcdServers:   []string{"https://etcd-a.0123.tripod.internal:2379", "https://etcd-b.0123.tripod.internal:2379"},
		ServiceCIDR:   "10.100.0.0/16",
		Issuer:        "https://localhost:4566/id/0123456789ABCDEF0123456789ABCDEF",
		GatewaySocket: "/run/tripod/a/gateway.sock", MetricsSocket: "/run/tripod/a/metrics.sock",
		Socket:   "/run/tripod/a/api-01234567.sock",
		AuditLog: "/data/logs/audit.log", EncryptionKey: encryptionKey,
	}, Cloud: Cloud{
		Region: "us-east-1", VPC: "vpc-0123456789abcdef0", RoleARN: "arn:aws:iam::111122223333:role/eksClusterRole",
		URL: "http://127.0.0.1:4566", FrontSocket: "/run/tripod/a/aws.sock",
		CredentialsSocket: "/run/tripod/a/role-01234567.sock",
	}}
}

// TestFilesAreAsReviewed compares what a zone's agent writes with testdata/: a change there is a change of the control
// plane.
func TestFilesAreAsReviewed(t *testing.T) {
	dir := t.TempDir()
	controllers := example(dir)
	for _, write := range []func() (string, error){controllers.APIServer.Write, controllers.Write} {
		file, err := write()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(file); err != nil {
			t.Fatal(err)
		}
	}
	got := files(t, dir)
	for name, text := range got {
		got[name] = strings.ReplaceAll(text, dir, "/data")
	}
	if *update {
		for name, text := range got {
			if err := os.WriteFile(filepath.Join("testdata", name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if diff := cmp.Diff(files(t, "testdata"), got); diff != "" {
		t.Errorf("the files differ from testdata (-want +got); 'go test ./apiserver/launch -update' accepts them:\n%s", diff)
	}
}

// files are the texts of a directory by name.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, entry := range entries {
		text, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		texts[entry.Name()] = string(text)
	}
	return texts
}

func TestFilesArePrivateAndYAML(t *testing.T) {
	dir := filepath.Join(t.TempDir(), `a "quoted" directory, with: signs`)
	controllers := example(dir)
	if _, err := controllers.APIServer.Write(); err != nil {
		t.Fatal(err)
	}
	if _, err := controllers.Write(); err != nil {
		t.Fatal(err)
	}
	for name, text := range files(t, dir) {
		var object map[string]any
		if err := yaml.UnmarshalStrict([]byte(text), &object); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != fs.FileMode(0o600) {
			t.Errorf("%s: mode %v, %v", name, info.Mode(), err)
		}
		if strings.HasSuffix(name, ".kubeconfig") && !strings.Contains(fmt.Sprint(object), dir) {
			t.Errorf("%s does not name %s: %v", name, dir, object)
		}
	}
}

// TestNoSecretInFlags: what a process is started with is everybody's to read.
func TestNoSecretInFlags(t *testing.T) {
	dir := t.TempDir()
	controllers := example(dir)
	if _, err := controllers.APIServer.Write(); err != nil {
		t.Fatal(err)
	}
	if _, err := controllers.Write(); err != nil {
		t.Fatal(err)
	}
	for name, text := range files(t, dir) {
		if got, want := strings.Contains(text, encryptionKey), name == "encryption.yaml"; got != want {
			t.Errorf("%s has the encryption key: %v, want %v", name, got, want)
		}
		if strings.Contains(text, "PRIVATE KEY") {
			t.Errorf("%s has a private key", name)
		}
	}
	flags := append(controllers.Flags(), append(controllers.controllerManagerFlags(), controllers.schedulerFlags()...)...)
	for _, f := range flags {
		if !strings.HasPrefix(f, "--") || !strings.Contains(f, "=") {
			t.Errorf("%q is not --name=value", f)
		}
		if name, value, _ := strings.Cut(f, "="); strings.Contains(name, "key-file") && !filepath.IsAbs(value) {
			t.Errorf("%s does not name a file", f)
		}
	}
}

func TestEveryVersionSaysItsFullName(t *testing.T) {
	shape := regexp.MustCompile(`^v1\.\d+\.\d+-eks-[0-9a-f]{7}$`)
	for minor, full := range version.KubernetesBuilds() {
		if !shape.MatchString(full) || !strings.HasPrefix(full, "v"+minor+".") {
			t.Errorf("version %s says %s", minor, full)
		}
		server := example(t.TempDir()).APIServer
		server.Version = minor
		file, err := server.Write()
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var process Process
		if err := json.Unmarshal(text, &process); err != nil {
			t.Fatal(err)
		}
		if process.ReportsVersion != full || process.Flags[0] != "--emulated-version=kube="+minor {
			t.Errorf("version %s: reports %s, started with %s", minor, process.ReportsVersion, process.Flags[0])
		}
	}
	if _, found := version.FindKubernetes(version.DefaultKubernetes); !found {
		t.Errorf("the default version %s is not among the versions", version.DefaultKubernetes)
	}
}

func TestAuthenticatorHostIsInTheRegionsDomain(t *testing.T) {
	if got, want := AuthenticatorHost("0123ABCD"), "authenticator.0123abcd.tripod.internal"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestLeasesAreRenewedInTime(t *testing.T) {
	for _, lease := range []LeaseTiming{CalmLeases, FastLeases} {
		if !(lease.Retry*12/10 < lease.Renew && lease.Renew < lease.Duration) {
			t.Errorf("client-go refuses %+v", lease)
		}
	}
}
