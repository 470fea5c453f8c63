package ebscsi

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"

	"tripod/awsapi/apitest"
	awsec2 "tripod/awsapi/ec2"
	"tripod/iam"
	"tripod/incluster/addons"
	"tripod/region"
	"tripod/state"
)

const (
	instanceID = "i-0123456789abcdef0"
	nodeName   = "ip-10-0-32-10.ec2.internal"
	zone       = "us-east-1b"
	policy     = "arn:aws:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy"
)

// world is the driver of a cluster with one node over Tripod's own AWS endpoint, whose volumes' zones do their part at once.
type world struct {
	t *testing.T
	*apitest.World
	driver  *Driver
	cluster kubernetes.Interface
	dynamic dynamic.Interface
}

// start makes one whose driver may do what the policies allow.
func start(t *testing.T, policies ...string) *world {
	t.Helper()
	vpc := awsec2.VPC{AccountID: iam.DefaultAccountID, Region: apitest.Region, Zones: []string{"us-east-1a", zone, "us-east-1c"}}
	w := &world{t: t, World: apitest.New(t, func(tx *state.Txn) {
		region.Instances.Put(tx, instanceID, region.Instance{ID: instanceID, State: region.InstanceRunning, Zone: zone,
			VPCID: vpc.ID(), SubnetID: vpc.SubnetIDs()[1], Address: "10.0.32.10", DNSName: nodeName, VolumeID: "vol-0aaaaaaaaaaaaaaaa",
			Launch: region.InstanceLaunch{Type: "m5.large", ImageID: "ami-1"}})
	})}
	w.User("driver", policies...)
	w.cluster = fake.NewClientset(&corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: nodeName, UID: "n", Labels: map[string]string{zoneKey: zone, instanceType: "m5.large"}},
		Spec:       corev1.NodeSpec{ProviderID: "aws:///" + zone + "/" + instanceID}},
		class("gp3", Name, nil), immediate(class("now", Name, nil)), class("gp2", inTree, map[string]string{"type": "gp2", "fsType": "ext4"}))
	w.dynamic = dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{
		snapshotGVR: "VolumeSnapshotList", contentGVR: "VolumeSnapshotContentList", classGVR: "VolumeSnapshotClassList"},
		&unstructured.Unstructured{Object: map[string]any{"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshotClass",
			"metadata": map[string]any{"name": "ebs"}, "driver": Name, "deletionPolicy": "Delete"}})
	d := New(Config{Cluster: "demo", Client: w.cluster, Dynamic: w.dynamic, EC2: ec2.NewFromConfig(w.Config("driver")),
		Logger: slog.New(slog.DiscardHandler)})
	w.driver = d
	if err := d.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	settled := make(chan struct{})
	t.Cleanup(func() { d.Stop(t.Context()); close(settled) })
	go func() {
		network := &awsec2.Service{VPC: vpc}
		for {
			select {
			case <-settled:
				return
			case <-time.After(5 * time.Millisecond):
			}
			w.Update(context.Background(), func(tx *state.Txn) error {
				for _, v := range region.VolumesUnsettled.Of(zone).List(tx) {
					network.SettleVolume(tx, v.ID)
				}
				for _, v := range region.SnapshotsUnsettled.Of(zone).List(tx) {
					region.SettleSnapshot(tx, v.ID, time.Now())
				}
				return nil
			})
		}
	}()
	w.awaits("the driver on its node", func() bool {
		n, err := w.cluster.StorageV1().CSINodes().Get(t.Context(), nodeName, metav1.GetOptions{})
		return err == nil && len(n.Spec.Drivers) == 1 && d.isRegistered(nodeName) // the driver has to have seen it, too
	})
	return w
}

func class(name, provisioner string, parameters map[string]string) *storagev1.StorageClass {
	return &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: name}, Provisioner: provisioner, Parameters: parameters,
		VolumeBindingMode: new(storagev1.VolumeBindingWaitForFirstConsumer), ReclaimPolicy: new(corev1.PersistentVolumeReclaimDelete)}
}

// claim makes a claim, of a snapshot if one is named, as it is when the scheduler has chosen the node for its pod, and the
// controller manager the driver.
func (w *world) claim(name, className string, mode corev1.PersistentVolumeAccessMode, of ...string) *corev1.PersistentVolumeClaim {
	w.t.Helper()
	var source *corev1.TypedLocalObjectReference
	for _, snapshot := range of {
		source = &corev1.TypedLocalObjectReference{APIGroup: &snapshotGVR.Group, Kind: snapshotKind, Name: snapshot}
	}
	annotations := map[string]string{"volume.kubernetes.io/storage-provisioner": Name, "volume.beta.kubernetes.io/storage-provisioner": Name}
	if className != "now" {
		annotations["volume.kubernetes.io/selected-node"] = nodeName
	}
	c, err := w.cluster.CoreV1().PersistentVolumeClaims("default").Create(w.t.Context(), &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, UID: types.UID("0123-" + name), Annotations: annotations},
		Spec: corev1.PersistentVolumeClaimSpec{StorageClassName: &className, DataSource: source,
			AccessModes: []corev1.PersistentVolumeAccessMode{mode},
			Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1500Mi")}}},
	}, metav1.CreateOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (w *world) awaits(what string, holds func() bool) {
	w.t.Helper()
	for end := time.Now().Add(20 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			events, _ := w.cluster.CoreV1().Events("").List(w.t.Context(), metav1.ListOptions{})
			for _, e := range events.Items {
				w.t.Log(e.Reason, e.Message)
			}
			w.t.Fatal(what, " did not come to be")
		}
	}
}

// provisioned is the persistent volume of a claim.
func (w *world) provisioned(c *corev1.PersistentVolumeClaim) (v *corev1.PersistentVolume) {
	w.t.Helper()
	w.awaits("the volume of "+c.Name, func() (found bool) {
		var err error
		v, err = w.cluster.CoreV1().PersistentVolumes().Get(w.t.Context(), "pvc-"+string(c.UID), metav1.GetOptions{})
		return err == nil
	})
	return v
}

func (w *world) record(id string) (v region.Volume) {
	w.View(func(tx *state.Txn) error { v, _ = region.Volumes.Get(tx, id); return nil })
	return v
}

// event is the message of an event with that reason.
func (w *world) event(reason string) (message string) {
	w.t.Helper()
	w.awaits("an event "+reason, func() bool {
		events, err := w.cluster.CoreV1().Events("default").List(w.t.Context(), metav1.ListOptions{})
		if err != nil {
			return false
		}
		for _, e := range events.Items {
			if e.Reason == reason {
				message = e.Message
			}
		}
		return message != ""
	})
	return message
}

// TestAClaimsVolumeIsMadeAttachedDetachedAndDeleted follows a volume from its claim to its end.
func TestAClaimsVolumeIsMadeAttachedDetachedAndDeleted(t *testing.T) {
	w := start(t, policy)
	v := w.provisioned(w.claim("data", "gp3", corev1.ReadWriteOnce))
	made := w.record(v.Spec.CSI.VolumeHandle)
	if made.Zone != zone || made.GiB != 2 || made.Type != "gp3" || v.Spec.Capacity.Storage().String() != "2Gi" {
		t.Errorf("it is %+v, and stands in the cluster as %+v", made, v.Spec)
	}
	if got := v.Spec.NodeAffinity.Required.NodeSelectorTerms[0].MatchExpressions[0]; got.Key != zoneKey || got.Values[0] != zone {
		t.Errorf("its nodes are those with %+v", got)
	}
	w.View(func(tx *state.Txn) error {
		tags := (&awsec2.Service{}).TagsOf(tx, made.ID)
		if tags["CSIVolumeName"] != v.Name || tags["ebs.csi.aws.com/cluster"] != "true" || tags["kubernetes.io/created-for/pvc/name"] != "data" {
			t.Errorf("its tags are %v", tags)
		}
		return nil
	})

	attachments := w.cluster.StorageV1().VolumeAttachments()
	a, err := attachments.Create(t.Context(), &storagev1.VolumeAttachment{ObjectMeta: metav1.ObjectMeta{Name: "csi-1"},
		Spec: storagev1.VolumeAttachmentSpec{Attacher: Name, NodeName: nodeName,
			Source: storagev1.VolumeAttachmentSource{PersistentVolumeName: &v.Name}}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w.awaits("the attachment", func() bool {
		a, err = attachments.Get(t.Context(), a.Name, metav1.GetOptions{})
		return err == nil && a.Status.Attached
	})
	if a.Status.AttachmentMetadata["devicePath"] != "/dev/xvdaa" || !slices.Contains(a.Finalizers, attachFinalizer) {
		t.Errorf("it is attached as %+v", a)
	}
	if at, _ := w.record(made.ID).AttachedTo(instanceID); at.State != region.VolumeAttached {
		t.Errorf("EC2 has it attached as %+v", at)
	}

	a.DeletionTimestamp = new(metav1.Now()) // the API server would set it, and keep the object for its finalizer
	if _, err := attachments.Update(t.Context(), a, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	w.awaits("the detachment", func() bool {
		a, err = attachments.Get(t.Context(), a.Name, metav1.GetOptions{})
		return apierrors.IsNotFound(err) || err == nil && len(a.Finalizers) == 0
	})
	if got := w.record(made.ID); got.State != region.VolumeAvailable {
		t.Errorf("EC2 has it as %+v", got)
	}
	if err := attachments.Delete(t.Context(), a.Name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}

	v.Status.Phase = corev1.VolumeReleased
	if _, err := w.cluster.CoreV1().PersistentVolumes().Update(t.Context(), v, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	w.awaits("the end of the volume", func() bool { return w.record(made.ID).ID == "" })
}

// TestWhyAVolumeIsNotAttachedIsTold: in the attachment, from where the attach-detach controller takes it into the pod's events.
func TestWhyAVolumeIsNotAttachedIsTold(t *testing.T) {
	w := start(t, policy)
	v := w.provisioned(w.claim("data", "gp3", corev1.ReadWriteOnce))
	may := func(policies ...string) {
		w.Write(func(tx *state.Txn) {
			user, _ := region.Users.Get(tx, "driver")
			user.Policies = policies
			region.Users.Put(tx, user.Name, user)
		})
	}
	may()
	w.Allow("driver", "ec2:Describe*", "*")
	attachments := w.cluster.StorageV1().VolumeAttachments()
	a, err := attachments.Create(t.Context(), &storagev1.VolumeAttachment{ObjectMeta: metav1.ObjectMeta{Name: "csi-1"},
		Spec: storagev1.VolumeAttachmentSpec{Attacher: Name, NodeName: nodeName,
			Source: storagev1.VolumeAttachmentSource{PersistentVolumeName: &v.Name}}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w.awaits("the reason", func() bool { // the first one may be that the driver has not seen the volume yet: it tries again
		a, err = attachments.Get(t.Context(), a.Name, metav1.GetOptions{})
		return err == nil && a.Status.AttachError != nil && strings.Contains(a.Status.AttachError.Message, "StatusCode: 403")
	})
	volumeID := v.Spec.CSI.VolumeHandle
	of := `attach volume "` + volumeID + `" to node "` + instanceID + `": `
	want := `rpc error: code = Internal desc = Could not ` + of + `could not ` + of +
		`operation error EC2: AttachVolume, https response error StatusCode: 403, RequestID: `
	if got := a.Status.AttachError.Message; !strings.HasPrefix(got, want) ||
		!strings.Contains(got, "api error UnauthorizedOperation: You are not authorized to perform this operation.") {
		t.Errorf("got %q\nwant %q", got, want)
	}
	may(policy)
	w.awaits("the attachment", func() bool {
		a, err = attachments.Get(t.Context(), a.Name, metav1.GetOptions{})
		return err == nil && a.Status.Attached && a.Status.AttachError == nil
	})
}

// TestGp2IsTheDriversByMigration: a class of the plugin of before gets a volume of that plugin, as on EKS.
func TestGp2IsTheDriversByMigration(t *testing.T) {
	w := start(t, policy)
	v := w.provisioned(w.claim("data", "gp2", corev1.ReadWriteOncePod))
	if v.Spec.AWSElasticBlockStore == nil || w.record(handleOf(v)).Type != "gp2" {
		t.Errorf("it is %+v, and %+v", v.Spec, w.record(handleOf(v)))
	}
}

// TestWhatTheRoleMayNotDoIsTold: the sentence that users find in kubectl describe.
func TestWhatTheRoleMayNotDoIsTold(t *testing.T) {
	w := start(t)
	w.claim("data", "gp3", corev1.ReadWriteOnce)
	got := w.event("ProvisioningFailed")
	for _, want := range []string{
		`rpc error: code = Internal desc = Could not create volume "pvc-0123-data": ` +
			`could not create volume in EC2: operation error EC2: CreateVolume, https response error StatusCode: 403, RequestID: `,
		"api error UnauthorizedOperation: You are not authorized to perform this operation.",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("got %q\nwant %q in it", got, want)
		}
	}
}

func TestAVolumeForManyNodesIsRefused(t *testing.T) {
	w := start(t, policy)
	w.claim("data", "gp3", corev1.ReadWriteMany)
	if got := w.event("ProvisioningFailed"); !strings.Contains(got, "Volume capabilities MULTI_NODE_MULTI_WRITER not supported. Only "+
		"AccessModes[ReadWriteOnce] supported.") {
		t.Errorf("got %q", got)
	}
}

func TestAClaimsVolumeGrows(t *testing.T) {
	w := start(t, policy)
	c := w.bound(w.claim("data", "gp3", corev1.ReadWriteOnce))
	v := w.provisioned(c)
	claims := w.cluster.CoreV1().PersistentVolumeClaims("default")
	c.Spec.Resources.Requests[corev1.ResourceStorage] = resource.MustParse("7Gi")
	_, err := claims.Update(t.Context(), c, metav1.UpdateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w.awaits("the larger volume", func() bool { return w.record(v.Spec.CSI.VolumeHandle).GiB == 7 })
	w.awaits("the condition", func() bool {
		c, err = claims.Get(t.Context(), c.Name, metav1.GetOptions{})
		return err == nil && len(c.Status.Conditions) == 1 && c.Status.Conditions[0].Type == corev1.PersistentVolumeClaimFileSystemResizePending
	})
	_, err = w.cluster.StorageV1().VolumeAttachments().Create(t.Context(), &storagev1.VolumeAttachment{
		ObjectMeta: metav1.ObjectMeta{Name: "csi-1"}, Spec: storagev1.VolumeAttachmentSpec{Attacher: Name, NodeName: nodeName,
			Source: storagev1.VolumeAttachmentSource{PersistentVolumeName: &v.Name}}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w.awaits("the larger file system", func() bool {
		c, err = claims.Get(t.Context(), c.Name, metav1.GetOptions{})
		return err == nil && c.Status.Capacity.Storage().String() == "7Gi" && len(c.Status.Conditions) == 0
	})
}

// immediate is a class whose claims are bound before a pod is there.
func immediate(c *storagev1.StorageClass) *storagev1.StorageClass {
	c.VolumeBindingMode = new(storagev1.VolumeBindingImmediate)
	c.AllowedTopologies = []corev1.TopologySelectorTerm{{MatchLabelExpressions: []corev1.TopologySelectorLabelRequirement{
		{Key: zoneKey, Values: []string{zone}}}}}
	return c
}

// TestAnImmediateClaimsVolumeIsWhereItsClassAllows: no scheduler chooses a node, and so no zone, for it.
func TestAnImmediateClaimsVolumeIsWhereItsClassAllows(t *testing.T) {
	w := start(t, policy)
	if got := w.record(w.provisioned(w.claim("data", "now", corev1.ReadWriteOnce)).Spec.CSI.VolumeHandle); got.Zone != zone {
		t.Errorf("it is in %q", got.Zone)
	}
}

// bound makes a claim's binding to its volume, as the controller manager does.
func (w *world) bound(c *corev1.PersistentVolumeClaim) *corev1.PersistentVolumeClaim {
	w.t.Helper()
	v := w.provisioned(c)
	claims := w.cluster.CoreV1().PersistentVolumeClaims("default")
	c, err := claims.Get(w.t.Context(), c.Name, metav1.GetOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	c.Spec.VolumeName, c.Status.Phase, c.Status.Capacity = v.Name, corev1.ClaimBound, v.Spec.Capacity
	if c, err = claims.Update(w.t.Context(), c, metav1.UpdateOptions{}); err != nil {
		w.t.Fatal(err)
	}
	return c
}

// TestASnapshotIsTakenRestoredAndDeleted: of a claim's volume, and a claim that names it gets a volume of it.
func TestASnapshotIsTakenRestoredAndDeleted(t *testing.T) {
	w := start(t, policy)
	w.bound(w.claim("data", "gp3", corev1.ReadWriteOnce))
	snapshots := w.dynamic.Resource(snapshotGVR).Namespace("default")
	s, err := snapshots.Create(t.Context(), &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshot",
		"metadata": map[string]any{"name": "monday", "namespace": "default", "uid": "0123-monday"},
		"spec":     map[string]any{"volumeSnapshotClassName": "ebs", "source": map[string]any{"persistentVolumeClaimName": "data"}}}},
		metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w.awaits("the snapshot", func() bool {
		s, err = snapshots.Get(t.Context(), "monday", metav1.GetOptions{})
		ready, _, _ := unstructured.NestedBool(s.Object, "status", "readyToUse")
		return err == nil && ready && text(s, "status", "restoreSize") == "2Gi"
	})
	var taken []region.Snapshot
	w.View(func(tx *state.Txn) error { taken = region.Snapshots.List(tx); return nil })
	if len(taken) != 1 || taken[0].State != region.SnapshotCompleted {
		t.Fatalf("EC2 has %+v", taken)
	}
	if got := w.event("CreatingSnapshot"); got != "Waiting for a snapshot default/monday to be created by the CSI driver." {
		t.Errorf("got %q", got)
	}

	restored := w.claim("restored", "gp3", corev1.ReadWriteOnce, "monday")
	if got := w.record(w.provisioned(restored).Spec.CSI.VolumeHandle); got.Snapshot != taken[0].ID {
		t.Errorf("the restored volume is of %q, want %s", got.Snapshot, taken[0].ID)
	}

	s.SetDeletionTimestamp(new(metav1.Now())) // the API server would set it, and keep the object for its finalizer
	if _, err := snapshots.Update(t.Context(), s, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	contents := w.dynamic.Resource(contentGVR)
	w.awaits("the end of its content", func() bool { // which the fake deletes at once, without its finalizer's leave
		_, err := contents.Get(t.Context(), "snapcontent-0123-monday", metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	})
}

func TestNodesSayHowManyVolumesTheyTake(t *testing.T) {
	w := start(t, policy)
	n, err := w.cluster.StorageV1().CSINodes().Get(t.Context(), nodeName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	own := n.Spec.Drivers[0]
	if own.NodeID != instanceID || *own.Allocatable.Count != 26 || !slices.Contains(own.TopologyKeys, zoneKey) ||
		!strings.Contains(n.Annotations["storage.alpha.kubernetes.io/migrated-plugins"], inTree) {
		t.Errorf("it is registered as %+v with %v", own, n.Annotations)
	}
	if err := errors.Join(w.driver.Stop(t.Context()), w.driver.Unregister(t.Context())); err != nil {
		t.Fatal(err)
	}
	n, err = w.cluster.StorageV1().CSINodes().Get(t.Context(), nodeName, metav1.GetOptions{})
	if err != nil || len(n.Spec.Drivers) != 0 {
		t.Errorf("after its end it is registered as %+v (%v)", n, err)
	}
}

func TestTheAddOnsObjectsAreWhole(t *testing.T) {
	objects, err := Objects(addons.Options{ClusterName: "demo", Region: "us-east-1"}, "v1.59.0-eksbuild.1", "arn:aws:iam::1:role/r")
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for _, o := range objects {
		kinds[o.GetKind()]++
	}
	if kinds["CSIDriver"] != 1 || kinds["DaemonSet"] != 1 || kinds["Deployment"] != 1 || kinds["ServiceAccount"] != 2 {
		t.Errorf("they are %v", kinds)
	}
	class, err := DefaultClass(addons.Options{ClusterName: "demo", Region: "us-east-1"})
	if err != nil || len(class) != 1 || class[0].GetName() != "ebs-csi-default-sc" ||
		class[0].GetAnnotations()["storageclass.kubernetes.io/is-default-class"] != "true" {
		t.Errorf("the default class is %v, %v", class, err)
	}
}
