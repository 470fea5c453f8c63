package ebscsi

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestAClaimsAttributesClassChangesItsVolume: one that is made with a class, and one that is given another, which may be made later.
func TestAClaimsAttributesClassChangesItsVolume(t *testing.T) {
	w := start(t, policy)
	attributes := func(name string, parameters map[string]string) {
		t.Helper()
		if _, err := w.cluster.StorageV1().VolumeAttributesClasses().Create(t.Context(), &storagev1.VolumeAttributesClass{
			ObjectMeta: metav1.ObjectMeta{Name: name}, DriverName: Name, Parameters: parameters}, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	claims := w.cluster.CoreV1().PersistentVolumeClaims("default")
	c := w.bound(w.claim("data", "gp3", corev1.ReadWriteOnce))
	v := w.provisioned(c)
	changes := func(name string) {
		t.Helper()
		c.Spec.VolumeAttributesClassName = &name
		if _, err := claims.Update(t.Context(), c, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	becomes := func(what string, is func(*corev1.PersistentVolumeClaim) bool) {
		t.Helper()
		w.awaits(what, func() bool {
			var err error
			c, err = claims.Get(t.Context(), c.Name, metav1.GetOptions{})
			return err == nil && is(c)
		})
	}
	modifying := func(c *corev1.PersistentVolumeClaim) corev1.PersistentVolumeClaimModifyVolumeStatus {
		if c.Status.ModifyVolumeStatus == nil {
			return ""
		}
		return c.Status.ModifyVolumeStatus.Status
	}
	changes("fast")
	becomes("the wait for the class", func(c *corev1.PersistentVolumeClaim) bool { return modifying(c) == "Pending" })
	attributes("fast", map[string]string{"type": "gp3", "throughput": "250"})
	becomes("the class", func(c *corev1.PersistentVolumeClaim) bool {
		return ptr(c.Status.CurrentVolumeAttributesClassName) == "fast" && modifying(c) == ""
	})
	if got := w.record(v.Spec.CSI.VolumeHandle); got.IOPS != 3000 || got.Throughput != 250 {
		t.Errorf("the volume is %+v", got.VolumeShape)
	}
	if got := w.event("VolumeModifySuccessful"); got != "external resizer modified volume data with vac fast successfully" {
		t.Errorf("got %q", got)
	}
	attributes("odd", map[string]string{"iops": "many"})
	changes("odd")
	becomes("the refusal", func(c *corev1.PersistentVolumeClaim) bool { return modifying(c) == "Infeasible" })
	if got := w.event("VolumeModifyFailed"); !strings.Contains(got, `Could not parse IOPS: "many"`) {
		t.Errorf("got %q", got)
	}
}

// TestAClaimIsNotCloned, as long as nothing copies volumes: what takes another claim's data is a snapshot.
func TestAClaimIsNotCloned(t *testing.T) {
	w := start(t, policy)
	w.bound(w.claim("data", "gp3", corev1.ReadWriteOnce))
	c, err := w.cluster.CoreV1().PersistentVolumeClaims("default").Create(t.Context(), &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "copy", UID: "0123-copy", Annotations: map[string]string{
			"volume.kubernetes.io/storage-provisioner": Name, "volume.kubernetes.io/selected-node": nodeName}},
		Spec: corev1.PersistentVolumeClaimSpec{StorageClassName: new("gp3"), AccessModes: []corev1.PersistentVolumeAccessMode{
			corev1.ReadWriteOnce}, DataSource: &corev1.TypedLocalObjectReference{Kind: "PersistentVolumeClaim", Name: "data"},
			Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("2Gi")}}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got := w.event("ProvisioningFailed"); !strings.Contains(got, "makes volumes of VolumeSnapshots alone") {
		t.Errorf("%s: got %q", c.Name, got)
	}
}
