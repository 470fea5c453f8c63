package podlife

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// TestPodWaitsForItsVolumeToBeAttached: the kubelet says nothing of it for two minutes, since the attach-detach controller
// tells why it is not.
func TestPodWaitsForItsVolumeToBeAttached(t *testing.T) {
	w := newWorld(t, func(p *corev1.Pod) {
		p.Spec.Volumes = []corev1.Volume{{Name: "x", VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "y"}}}}
	})
	w.objects[Reference{Claim, "default", "y"}] = Object{Bound: true, Driver: "ebs.csi.aws.com", Handle: "vol-1"}
	attachment := Reference{Attachment, string(w.pod.UID), AttachmentName("vol-1", "ebs.csi.aws.com", w.pod.Spec.NodeName)}
	w.look()
	w.pass(time.Minute)
	w.want("ContainerCreating")
	w.objects[attachment] = Object{} // made, and not attached yet
	w.pass(30 * time.Second)
	w.want("ContainerCreating")
	if n := w.said("FailedMount", ""); n > 0 {
		t.Errorf("%d events before the time is over", n)
	}
	w.pass(time.Minute)
	w.wantSaid("FailedMount", "Unable to attach or mount volumes: unmounted volumes=[x], unattached volumes=[], "+
		"failed to process volumes=[]: context deadline exceeded")
	w.objects[attachment] = Object{Attached: true}
	w.pass(lookAgain)
	w.want("Running")
}

// TestPodWaitsForItsVolumeToBeMounted: the kubelet says why it cannot be, in the driver's words, and tries again.
func TestPodWaitsForItsVolumeToBeMounted(t *testing.T) {
	w := newWorld(t, func(p *corev1.Pod) {
		p.Spec.Volumes = []corev1.Volume{{Name: "x", VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "y"}}}}
	})
	w.objects[Reference{Claim, "default", "y"}] = Object{Bound: true, Mounts: "pv fs-1"}
	w.look()
	w.pass(time.Minute)
	w.want("ContainerCreating")
	w.wantSaid("FailedMount", `MountVolume.SetUp failed for volume "pv" : `+ErrNotFound.Error())
	w.objects[Reference{Mount, string(w.pod.UID), "pv fs-1"}] = Object{}
	w.pass(lookAgain)
	w.want("Running")
}
