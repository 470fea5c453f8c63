package efscsi

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/efs"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"

	"tripod/awsapi/apitest"
	"tripod/incluster/addons"
	"tripod/region"
	"tripod/state"
)

const (
	fileSystem = "fs-0123456789abcdef0"
	nodeName   = "ip-10-0-32-10.ec2.internal"
	instanceID = "i-0123456789abcdef0"
	policy     = "arn:aws:iam::aws:policy/service-role/AmazonEFSCSIDriverPolicy"
)

// world is the driver of a cluster with one node over Tripod's own AWS endpoint, with a file system.
type world struct {
	t *testing.T
	*apitest.World
	driver  *Driver
	cluster kubernetes.Interface
}

// start makes one whose driver is as configured and may do what the policies allow.
func start(t *testing.T, c Config, policies ...string) *world {
	t.Helper()
	w := &world{t: t, World: apitest.New(t, func(tx *state.Txn) {
		region.CreateFileSystem(tx, region.FileSystem{ID: fileSystem, Token: "t", Zone: "us-east-1b"})
		region.SettleFileSystem(tx, fileSystem)
	})}
	w.User("driver", policies...)
	w.cluster = fake.NewClientset(&corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: nodeName, UID: "n", Labels: map[string]string{corev1.LabelTopologyZone: "us-east-1b"},
			Annotations: map[string]string{
				"csi.volume.kubernetes.io/nodeid": `{"ebs.csi.aws.com":"` + instanceID + `"}`}},
		Spec: corev1.NodeSpec{ProviderID: "aws:///us-east-1b/" + instanceID, Taints: []corev1.Taint{
			{Key: Name + "/agent-not-ready", Effect: corev1.TaintEffectNoExecute}, {Key: "own", Effect: corev1.TaintEffectNoSchedule}}}},
		&storagev1.CSINode{ObjectMeta: metav1.ObjectMeta{Name: nodeName}, Spec: storagev1.CSINodeSpec{Drivers: []storagev1.CSINodeDriver{{
			Name: "ebs.csi.aws.com", NodeID: instanceID}}}})
	c.Client, c.EFS, c.Logger = w.cluster, efs.NewFromConfig(w.Config("driver")), slog.New(slog.DiscardHandler)
	w.driver = New(c)
	if err := w.driver.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.driver.Stop(t.Context()) })
	return w
}

// claim makes a claim of a class of its own, as the controller manager leaves it for the driver.
func (w *world) claim(name string, parameters map[string]string, modes ...corev1.PersistentVolumeAccessMode) {
	w.t.Helper()
	given := map[string]string{"provisioningMode": "efs-ap", "fileSystemId": fileSystem, "directoryPerms": "700"}
	for key, value := range parameters {
		if given[key] = value; value == "" {
			delete(given, key)
		}
	}
	if len(modes) == 0 {
		modes = []corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany}
	}
	_, err := w.cluster.StorageV1().StorageClasses().Create(w.t.Context(), &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: name},
		Provisioner: Name, Parameters: given, MountOptions: []string{"tls"},
		VolumeBindingMode: new(storagev1.VolumeBindingImmediate), ReclaimPolicy: new(corev1.PersistentVolumeReclaimDelete)},
		metav1.CreateOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	_, err = w.cluster.CoreV1().PersistentVolumeClaims("default").Create(w.t.Context(), &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, UID: types.UID("0123-" + name), Annotations: map[string]string{
			"volume.kubernetes.io/storage-provisioner": Name, "volume.beta.kubernetes.io/storage-provisioner": Name}},
		Spec: corev1.PersistentVolumeClaimSpec{StorageClassName: &name, AccessModes: modes,
			Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("5Gi")}}},
	}, metav1.CreateOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) awaits(what string, holds func() bool) {
	w.t.Helper()
	for end := time.Now().Add(20 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("%s did not come to be; events: %q", what, w.said(""))
		}
	}
}

// volume is the persistent volume of a claim.
func (w *world) volume(claim string) (v *corev1.PersistentVolume) {
	w.t.Helper()
	w.awaits("the volume of "+claim, func() bool {
		var err error
		v, err = w.cluster.CoreV1().PersistentVolumes().Get(w.t.Context(), "pvc-0123-"+claim, metav1.GetOptions{})
		return err == nil
	})
	return v
}

// said are the messages of the events about a claim, or about all for "".
func (w *world) said(claim string) (all []string) {
	events, err := w.cluster.CoreV1().Events("").List(w.t.Context(), metav1.ListOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range events.Items {
		if claim == "" || e.InvolvedObject.Name == claim {
			all = append(all, e.Reason+": "+e.Message)
		}
	}
	return all
}

func (w *world) awaitsSaid(claim, words string) {
	w.t.Helper()
	w.awaits(words, func() bool { return strings.Contains(strings.Join(w.said(claim), "\n"), words) })
}

// points are the file system's access points.
func (w *world) points() (all []region.AccessPoint) {
	w.View(func(tx *state.Txn) error { all = region.AccessPointsByFileSystem.Of(fileSystem).List(tx); return nil })
	return all
}

func TestAClaimGetsAnAccessPointAndLeavesItsFiles(t *testing.T) {
	w := start(t, Config{Version: "v2.3.0-eksbuild.1"}, policy)
	w.claim("first", map[string]string{"basePath": "/dyn", "gidRangeStart": "1000", "gidRangeEnd": "2000"})
	v := w.volume("first")
	points := w.points()
	if len(points) != 1 {
		t.Fatalf("there are %+v", points)
	}
	p := points[0]
	if p.Path != "/dyn/pvc-0123-first" || p.User.UID != 1000 || p.User.GID != 1000 || p.Creation.Permissions != "700" ||
		p.Tags["efs.csi.aws.com/cluster"] != "true" || p.Token != "pvc-0123-first" {
		t.Errorf("made %+v of %+v", p, p.User)
	}
	if v.Spec.CSI.VolumeHandle != fileSystem+"::"+p.ID || v.Spec.NodeAffinity != nil || v.Spec.AccessModes[0] != corev1.ReadWriteMany ||
		v.Spec.MountOptions[0] != "tls" || v.Spec.Capacity.Storage().String() != "5Gi" {
		t.Errorf("the volume is %+v", v.Spec)
	}
	w.claim("second", map[string]string{"gidRangeStart": "1000", "gidRangeEnd": "2000", "uid": "7",
		"subPathPattern": "${.PVC.namespace}/${.PVC.name}", "ensureUniqueDirectory": "false"})
	w.volume("second")
	for _, p := range w.points() {
		if p.Token == "pvc-0123-second" && (p.Path != "/default/second" || p.User.UID != 7 || p.User.GID != 1001) {
			t.Errorf("the second is %+v of %+v", p, p.User)
		}
	}
	for _, name := range []string{"pvc-0123-first", "pvc-0123-second"} {
		v, err := w.cluster.CoreV1().PersistentVolumes().Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		v.Status.Phase = corev1.VolumeReleased
		if _, err := w.cluster.CoreV1().PersistentVolumes().Update(t.Context(), v, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	claims := w.cluster.CoreV1().PersistentVolumeClaims("default")
	if err := claims.DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil {
		t.Fatal(err)
	}
	w.awaits("the end of the access points", func() bool { return len(w.points()) == 0 })
}

func TestTheDriverSaysWhatItsRoleMayNotDo(t *testing.T) {
	w := start(t, Config{Version: "v3.1.0-eksbuild.1"})
	w.claim("denied", nil)
	w.awaitsSaid("denied", "ProvisioningFailed: rpc error: code = Unauthenticated "+
		"desc = Access Denied. Please ensure you have the right AWS permissions: Access denied")
}

func TestClassesAreRefusedInTheDriversWords(t *testing.T) {
	w := start(t, Config{Version: "v3.1.0-eksbuild.1"}, policy)
	for name, c := range map[string]struct {
		parameters map[string]string
		words      string
	}{
		"mode":     {map[string]string{"provisioningMode": ""}, "Missing provisioningMode parameter"},
		"other":    {map[string]string{"provisioningMode": "efs-dir"}, "Provisioning mode efs-dir is not supported. Only Access point"},
		"system":   {map[string]string{"fileSystemId": ""}, "Failed to resolve filesystem Id one of fileSystemId, fileSystemIdConfigRef"},
		"gone":     {map[string]string{"fileSystemId": "fs-0000000000000000f"}, "File System does not exist: Resource was not found"},
		"range":    {map[string]string{"gidRangeStart": "5"}, "Missing gidRangeEnd parameter"},
		"ends":     {map[string]string{"gidRangeEnd": "5"}, "Missing gidRangeStart parameter"},
		"order":    {map[string]string{"gidRangeStart": "5", "gidRangeEnd": "5"}, "gidRangeEnd must be greater than gidRangeStart"},
		"uid":      {map[string]string{"uid": "-1"}, "uid must be greater or equal than 0"},
		"pattern":  {map[string]string{"subPathPattern": "${.PVC.uid}"}, "Can only contain [.PV.name .PVC.name .PVC.namespace]"},
		"deep":     {map[string]string{"basePath": "/a/b/c/d/e"}, "file system limit of 4 subdirectories"},
		"long":     {map[string]string{"basePath": "/" + strings.Repeat("a", 100)}, "exceeds file system limit of 100 characters"},
		"kind":     {map[string]string{"csi.storage.k8s.io/fstype": "ext4"}, "Volume fstype not supported: invalid fstype: ext4"},
		"reuse":    {map[string]string{"reuseAccessPoint": "perhaps"}, "Invalid value for reuseAccessPoint parameter"},
		"noperms":  {map[string]string{"directoryPerms": ""}, "Failed to create Access point in File System " + fileSystem},
		"unlinked": {map[string]string{"fileSystemId": "", "fileSystemIdConfigRef": "a/b"}, "expected namespace/name/key, got: a/b"},
	} {
		w.claim(name, c.parameters)
		w.awaitsSaid(name, c.words)
	}
	w.claim("readers", nil, corev1.ReadOnlyMany)
	w.awaitsSaid("readers", "Volume capabilities not supported: invalid access mode: MULTI_NODE_READER_ONLY")
	if points := w.points(); len(points) > 0 {
		t.Errorf("made %+v", points)
	}
}

func TestAnAccessPointIsReusedAndItsRootRemoved(t *testing.T) {
	removed := make(chan string, 1)
	w := start(t, Config{Version: "v3.1.0-eksbuild.1", RemoveRoot: func(id, zone, path string) error {
		removed <- id + " " + zone + " " + path
		return nil
	}}, policy)
	w.Write(func(tx *state.Txn) {
		region.AccessPoints.Put(tx, "fsap-0123456789abcdef0", region.AccessPoint{ID: "fsap-0123456789abcdef0", FileSystemID: fileSystem,
			Token: hashed("again"), Path: "/base/kept", User: &region.PosixUser{UID: 50000, GID: 50000},
			Tags: map[string]string{"efs.csi.aws.com/cluster": "true"}})
	})
	w.claim("again", map[string]string{"reuseAccessPoint": "true", "basePath": "/base", "enforceZoneAffinity": "true"})
	v := w.volume("again")
	if v.Spec.CSI.VolumeHandle != "efs:"+fileSystem+"::fsap-0123456789abcdef0" ||
		v.Spec.NodeAffinity.Required.NodeSelectorTerms[0].MatchExpressions[0].Values[0] != "us-east-1b" {
		t.Errorf("the volume is %+v", v.Spec)
	}
	v.Status.Phase = corev1.VolumeReleased
	if _, err := w.cluster.CoreV1().PersistentVolumes().Update(t.Context(), v, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := w.cluster.CoreV1().PersistentVolumeClaims("default").Delete(t.Context(), "again", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-removed:
		if got != fileSystem+" us-east-1b /base/kept" {
			t.Errorf("removed %s", got)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("its root directory stays")
	}
	w.awaits("the end of the access point", func() bool { return len(w.points()) == 0 })
}

func TestTheDriverIsOnNodesBesideOthers(t *testing.T) {
	w := start(t, Config{Version: "v3.1.0-eksbuild.1"}, policy)
	w.awaits("the driver on its node", func() bool { return w.driver.plugins.IsRegistered(nodeName) })
	n, err := w.cluster.StorageV1().CSINodes().Get(t.Context(), nodeName, metav1.GetOptions{})
	if err != nil || len(n.Spec.Drivers) != 2 || n.Spec.Drivers[1].TopologyKeys[0] != corev1.LabelTopologyZone ||
		n.Spec.Drivers[1].Allocatable != nil {
		t.Errorf("it is registered as %+v, %v", n, err)
	}
	var node *corev1.Node
	w.awaits("the end of its taint", func() bool {
		node, err = w.cluster.CoreV1().Nodes().Get(t.Context(), nodeName, metav1.GetOptions{})
		return err == nil && len(node.Spec.Taints) == 1 && node.Spec.Taints[0].Key == "own"
	})
	if node.Labels[corev1.LabelTopologyZone] != "us-east-1b" {
		t.Errorf("its labels are %v: the driver has none of its own, and takes no others", node.Labels)
	}
	if want := `{"ebs.csi.aws.com":"` + instanceID + `","efs.csi.aws.com":"` + instanceID + `"}`; err != nil ||
		node.Annotations["csi.volume.kubernetes.io/nodeid"] != want {
		t.Errorf("its ids are %v, %v", node.Annotations, err)
	}
	if err := errors.Join(w.driver.Stop(t.Context()), w.driver.Unregister(t.Context())); err != nil {
		t.Fatal(err)
	}
	if n, err = w.cluster.StorageV1().CSINodes().Get(t.Context(), nodeName, metav1.GetOptions{}); err != nil || len(n.Spec.Drivers) != 1 {
		t.Errorf("after its end it is registered as %+v, %v", n, err)
	}
}

func TestTheManifestHasWhatTheAddOnBrings(t *testing.T) {
	objects, err := Objects(addons.Options{ClusterName: "demo", Region: "us-east-1"}, "v3.1.0-eksbuild.1",
		"arn:aws:iam::111122223333:role/efs")
	if err != nil || len(objects) != 5 {
		t.Fatalf("%d objects, %v", len(objects), err)
	}
	if objects[0].GetName() != Name || objects[1].GetAnnotations()["eks.amazonaws.com/role-arn"] == "" {
		t.Errorf("they are %v", objects)
	}
}
