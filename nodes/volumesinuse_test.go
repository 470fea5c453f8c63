package nodes

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"tripod/nodes/podlife"
)

// TestNodeTellsWhichVolumesItsPodsUse: from before they are attached until their pod is gone, so that none is detached that is
// in use.
func TestNodeTellsWhichVolumesItsPodsUse(t *testing.T) {
	const handle = "vol-0123456789abcdef0"
	attachment := podlife.AttachmentName(handle, ebsDriver, firstNode())
	database := func() *corev1.Pod {
		return newPod("db", firstNode(), func(p *corev1.Pod) {
			p.Spec.Volumes = []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{
				PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"}}}}
		})
	}
	client := fake.NewClientset(database(),
		&corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "data"},
			Spec: corev1.PersistentVolumeClaimSpec{VolumeName: "pv"}, Status: corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimBound}},
		&corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: "pv"}, Spec: corev1.PersistentVolumeSpec{
			PersistentVolumeSource: corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{Driver: ebsDriver,
				VolumeHandle: handle}}}},
	)
	startFake(t, testConfig(1), client)
	inUse := func(want ...corev1.UniqueVolumeName) {
		t.Helper()
		eventually(t, fmt.Sprint("a node that uses ", want), func() (string, bool) {
			node, err := client.CoreV1().Nodes().Get(t.Context(), firstNode(), metav1.GetOptions{})
			if err != nil {
				return err.Error(), false
			}
			return fmt.Sprint(node.Status.VolumesInUse), fmt.Sprint(node.Status.VolumesInUse) == fmt.Sprint(want)
		})
	}
	inUse("kubernetes.io/csi/ebs.csi.aws.com^" + handle)
	if pod := getPod(t, client, "db"); pod.Status.PodIP != "" {
		t.Errorf("it runs before its volume is attached: %+v", pod.Status)
	}
	_, err := client.StorageV1().VolumeAttachments().Create(t.Context(), &storagev1.VolumeAttachment{
		ObjectMeta: metav1.ObjectMeta{Name: attachment},
		Status:     storagev1.VolumeAttachmentStatus{Attached: true}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	waitPhase(t, client, "db", corev1.PodRunning)
	if err := client.CoreV1().Pods("default").Delete(t.Context(), "db", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	inUse()

	// What was attached for a pod of before need not be for the next one.
	if err := client.StorageV1().VolumeAttachments().Delete(t.Context(), attachment, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	next := database()
	next.UID = "uid-next"
	if _, err := client.CoreV1().Pods("default").Create(t.Context(), next, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	inUse("kubernetes.io/csi/ebs.csi.aws.com^" + handle)
	if pod := getPod(t, client, "db"); pod.Status.PodIP != "" {
		t.Errorf("the next one runs before its volume is attached: %+v", pod.Status)
	}
}
