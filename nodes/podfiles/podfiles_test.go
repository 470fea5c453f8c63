package podfiles

import (
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"tripod/nodes/podcmd"
)

func newPod(image string, args ...string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "web", UID: "1"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: image, Args: args}}},
		Status:     corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Name: "c"}}},
	}
}

func TestAPageThatWasMovedAwayIsGoneUntilItComesBack(t *testing.T) {
	told := 0
	m := &Moves{Changed: func(*corev1.Pod) { told++ }}
	pod := newPod("agnhost:2.66", "test-webserver")
	if m.Gone(pod, "c", "/localhost.crt") {
		t.Error("it is gone before anybody has moved it")
	}
	if at, err := m.Move(pod, "c", "/localhost.crt", "/tmp/"); at != "/tmp/localhost.crt" || err != nil {
		t.Fatalf("got %s, %v", at, err)
	}
	if !m.Gone(pod, "c", "/localhost.crt?x") || m.Gone(pod, "c", "/localhost.key") || m.Gone(pod, "other", "/localhost.crt") {
		t.Error("another page is gone than the one that was moved")
	}
	if _, err := m.Move(pod, "c", "/localhost.crt", "/tmp/"); !errors.Is(err, ErrNone) {
		t.Errorf("moved twice: %v", err)
	}
	if at, err := m.Move(pod, "c", "/tmp/localhost.crt", "/"); at != "/localhost.crt" || err != nil {
		t.Errorf("back: %s, %v", at, err)
	}
	if m.Gone(pod, "c", "/localhost.crt") || told != 2 {
		t.Errorf("it has not come back, or %d changes were told", told)
	}
	m.Move(pod, "c", "/localhost.crt", "/other")
	pod.Status.ContainerStatuses[0].RestartCount++
	if m.Gone(pod, "c", "/localhost.crt") {
		t.Error("a container that was restarted does not have its image's files")
	}
	m.Move(pod, "c", "/localhost.crt", "/other")
	m.Forget(pod.UID)
	if m.Gone(pod, "c", "/localhost.crt") || len(m.runs) != 0 {
		t.Error("a pod that has gone is remembered")
	}
}

func TestFilesThatNobodyKnowsAreNotMoved(t *testing.T) {
	m := &Moves{}
	for _, c := range []struct {
		pod  *corev1.Pod
		from string
		want error
	}{
		{newPod("nginx:1.27"), "/usr/share/nginx/html/index.html", nil},
		{newPod("nginx:1.27"), "/etc/nginx/nginx.conf", podcmd.ErrUnknownFile},
		{newPod("agnhost", "netexec"), "/localhost.crt", podcmd.ErrUnknownFile},
		{newPod("app"), "/index.html", podcmd.ErrUnknownFile},
	} {
		c.pod.UID = "2"
		if _, err := m.Move(c.pod, "c", c.from, "/tmp"); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v", c.from, err)
		}
	}
	if !m.Gone(newPodOf("nginx", "2"), "c", "/") {
		t.Error("the first page is served without its file")
	}
}

func newPodOf(image string, uid types.UID) *corev1.Pod {
	pod := newPod(image)
	pod.UID = uid
	return pod
}

func TestPagesAreTheImages(t *testing.T) {
	pod := newPod("registry.k8s.io/e2e-test-images/nautilus:1.7")
	if page, known := Page(&pod.Spec.Containers[0], "/data.json"); !known || !strings.Contains(page, `"image": "nautilus.jpg"`) {
		t.Errorf("got %q", page)
	}
	if _, known := Page(&pod.Spec.Containers[0], "/"); known {
		t.Error("a page is known that is none")
	}
}
