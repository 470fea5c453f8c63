package podexec

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/efs"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"

	"tripod/awsapi/apitest"
	vpcapi "tripod/awsapi/ec2"
	"tripod/iam"
	"tripod/internal/datadir"
	"tripod/region"
	"tripod/state"
)

// on is a pod with one volume, at a path, on a node of us-east-1b.
func on(t *testing.T, source corev1.VolumeSource, mount corev1.VolumeMount, objects ...runtime.Object) *pod {
	t.Helper()
	p := newPod(t, func(o *corev1.Pod) {
		o.UID, o.Spec.NodeName = "0123-uid", "node-1"
		o.Spec.Volumes = []corev1.Volume{{Name: "v", VolumeSource: source}}
		mount.Name = "v"
		o.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{mount}
	})
	p.client = fake.NewClientset(append(objects, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-1",
		Labels: map[string]string{corev1.LabelTopologyZone: "us-east-1b"}}, Spec: corev1.NodeSpec{ProviderID: "aws:///us-east-1b/i-0123"}})...)
	p.options.DataDir, p.options.Stderr, p.options.NoMounts = t.TempDir(), &bytes.Buffer{}, true
	return p
}

// TestAPodsOwnVolumesAreBelowItsNode: nothing of this machine is reached by what the pod's author writes.
func TestAPodsOwnVolumesAreBelowItsNode(t *testing.T) {
	directory, file := corev1.HostPathDirectoryOrCreate, corev1.HostPathFileOrCreate
	host := func(path string, kind *corev1.HostPathType) corev1.VolumeSource {
		return corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: path, Type: kind}}
	}
	empty := corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}
	for name, c := range map[string]struct {
		source corev1.VolumeSource
		mount  corev1.VolumeMount
		want   string // below the node's directory; empty: none
	}{
		"empty":           {empty, corev1.VolumeMount{}, "pods/0123-uid/v"},
		"a part":          {empty, corev1.VolumeMount{SubPath: "a/b"}, "pods/0123-uid/v/a/b"},
		"a variable":      {empty, corev1.VolumeMount{SubPathExpr: "$(PART)"}, "pods/0123-uid/v/b"},
		"the node's":      {host("/var/log", nil), corev1.VolumeMount{}, "root/var/log"},
		"made":            {host("/opt/x", &directory), corev1.VolumeMount{}, "root/opt/x"},
		"a way up":        {host("/../../../etc", nil), corev1.VolumeMount{}, "root/etc"},
		"all of the node": {host("/", nil), corev1.VolumeMount{}, "root"},
		"a file":          {host("/etc/passwd", &file), corev1.VolumeMount{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := on(t, c.source, c.mount)
			p.vars = map[string]string{"PART": "b"}
			env, err := p.layVolumes(t.Context())
			var want []string
			if c.want != "" {
				dir := filepath.Join(datadir.NodeDir(datadir.ZoneDir(p.options.DataDir, "us-east-1b"), "i-0123"), c.want)
				if _, err := os.Stat(dir); err != nil {
					t.Error(err)
				}
				want = []string{"TRIPOD_VOLUME_V=" + dir}
			}
			if err != nil || !slices.Equal(env, want) {
				t.Errorf("got %v, %v, want %v", env, err, want)
			}
		})
	}
}

func TestALinkInAVolumeLeadsNowhereElse(t *testing.T) {
	p := on(t, corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/out/x"}}, corev1.VolumeMount{})
	root := datadir.NodeRoot(datadir.NodeDir(datadir.ZoneDir(p.options.DataDir, "us-east-1b"), "i-0123"))
	if err := os.MkdirAll(root, 0o700); err != nil {
		t.Fatal(err)
	}
	outside := t.TempDir()
	if err := os.Symlink(outside, filepath.Join(root, "out")); err != nil {
		t.Fatal(err)
	}
	if env, err := p.layVolumes(t.Context()); err == nil {
		t.Errorf("it leads to %v", env)
	}
	if _, err := os.Stat(filepath.Join(outside, "x")); err == nil {
		t.Error("a directory is made outside")
	}
}

func TestANodeOfAnotherShapeIsNone(t *testing.T) {
	p := on(t, corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}, corev1.VolumeMount{})
	n, err := p.client.CoreV1().Nodes().Get(t.Context(), "node-1", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	n.Labels[corev1.LabelTopologyZone] = "../../x"
	if _, err := p.client.CoreV1().Nodes().Update(t.Context(), n, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.layVolumes(t.Context()); err == nil || !strings.Contains(err.Error(), "none of this region's") {
		t.Errorf("got %v", err)
	}
}

// TestAFileSystemIsReachedByItsZonesMountTarget: by that of the pod's node, and by no other.
func TestAFileSystemIsReachedByItsZonesMountTarget(t *testing.T) {
	w := apitest.New(t)
	calls := efs.NewFromConfig(w.Config("admin"))
	made, err := calls.CreateFileSystem(t.Context(), &efs.CreateFileSystemInput{CreationToken: aws.String("x")})
	if err != nil {
		t.Fatal(err)
	}
	settle := func() {
		w.Write(func(tx *state.Txn) {
			region.SettleFileSystem(tx, *made.FileSystemId)
			for _, m := range region.MountTargets.List(tx) {
				region.SettleMountTarget(tx, m.ID)
			}
		})
	}
	settle()
	mount := func(zone string) {
		t.Helper()
		vpc := vpcapi.VPC{AccountID: iam.DefaultAccountID, Region: apitest.Region, Zones: []string{"us-east-1a", "us-east-1b", "us-east-1c"}}
		subnet := vpc.SubnetIDs()[slices.Index(vpc.Zones, zone)]
		if _, err := calls.CreateMountTarget(t.Context(), &efs.CreateMountTargetInput{FileSystemId: made.FileSystemId,
			SubnetId: &subnet}); err != nil {
			t.Fatal(err)
		}
		settle()
	}
	p := on(t, corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"}},
		corev1.VolumeMount{SubPath: "s"}, &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "web", Name: "data"},
			Spec: corev1.PersistentVolumeClaimSpec{VolumeName: "pv"}},
		&corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: "pv"}, Spec: corev1.PersistentVolumeSpec{
			PersistentVolumeSource: corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{Driver: "efs.csi.aws.com",
				VolumeHandle: *made.FileSystemId + ":/"}}}})
	admin, err := w.Config("admin").Credentials.Retrieve(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	p.options.Region, p.options.Endpoint, p.options.AccessKeyID, p.options.SecretAccessKey = apitest.Region, w.URL, admin.AccessKeyID,
		admin.SecretAccessKey
	mount("us-east-1a")
	_, err = p.layVolumes(t.Context())
	if err == nil || !strings.Contains(err.Error(), "has no mount target in us-east-1b, the zone of the pod's node") {
		t.Errorf("without a mount target: %v", err)
	}
	mount("us-east-1b")
	dir := datadir.FileSystem(p.options.DataDir, "", *made.FileSystemId)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if env, err := p.layVolumes(t.Context()); err != nil || !slices.Equal(env, []string{"TRIPOD_VOLUME_V=" + filepath.Join(dir, "s")}) {
		t.Errorf("got %v, %v", env, err)
	}
}
