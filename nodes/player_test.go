package nodes

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"sigs.k8s.io/kwok/pkg/apis/v1alpha1"
	"sigs.k8s.io/yaml"

	"tripod/nodes/podlife"
)

// writesOf counts the requests for pods' status, or for other things.
func writesOf(client *fake.Clientset, verb, resource string) int {
	n := 0
	for _, action := range client.Actions() {
		if action.Matches(verb, resource) {
			n++
		}
	}
	return n
}

func TestOrdinaryPodCostsOneWriteAndItsEventsFollow(t *testing.T) {
	client := fake.NewClientset(newPod("web", firstNode()))
	startFake(t, testConfig(1), client)
	waitPhase(t, client, "web", corev1.PodRunning)
	var reasons []string
	eventually(t, "four events", func() (string, bool) {
		list, err := client.CoreV1().Events("default").List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		reasons = nil
		for _, e := range list.Items {
			if e.InvolvedObject.Name == "web" {
				reasons = append(reasons, e.Reason)
				if e.ReportingController != "kubelet" || e.Source.Host != firstNode() || e.InvolvedObject.FieldPath != "spec.containers{c}" ||
					e.InvolvedObject.UID != "uid-web" || e.Count != 1 {
					t.Errorf("event %+v", e)
				}
			}
		}
		return strings.Join(reasons, " "), len(reasons) == 4
	})
	if n := writesOf(client, "patch", "pods"); n != 1 {
		t.Errorf("%d patches of the pod", n)
	}
}

func TestEventsOfTheSameKindAreCounted(t *testing.T) {
	client := fake.NewClientset()
	r := newRecorder(client, func() bool { return false }, testConfig(1).withDefaults().Logger)
	go r.run(t.Context())
	for range 5 {
		r.aboutPod(newPod("web", "node"), []podlife.Event{{Type: "Warning", Reason: "Unhealthy", Message: "no"}})
	}
	eventually(t, "one event, five times", func() (string, bool) {
		list, err := client.CoreV1().Events("default").List(t.Context(), metav1.ListOptions{})
		if err != nil || len(list.Items) != 1 {
			return fmt.Sprint(len(list.Items)), false
		}
		return fmt.Sprint(list.Items[0].Count), list.Items[0].Count == 5
	})
}

func TestTooManyEventsAreDropped(t *testing.T) {
	r := newRecorder(fake.NewClientset(), func() bool { return true }, testConfig(1).withDefaults().Logger)
	for range 2 * mostEvents {
		r.aboutPod(newPod("web", "node"), []podlife.Event{{Type: "Normal", Reason: "Pulled"}})
	}
	if n := len(r.queue); n > mostNormalEvents+1 {
		t.Errorf("%d events wait", n)
	}
	r.aboutPod(newPod("web", "node"), []podlife.Event{{Type: "Warning", Reason: "Failed"}})
	if n := len(r.queue); n != mostNormalEvents+2 {
		t.Errorf("the warning was dropped: %d events wait", n)
	}
}

func TestPodsThatDoNotFitTogetherAreNotAdmittedTogether(t *testing.T) {
	var objects []runtime.Object
	for i := range 6 {
		objects = append(objects, newPod(fmt.Sprintf("big-%d", i), firstNode(), func(p *corev1.Pod) {
			p.Spec.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("900m")}
		}))
	}
	client := fake.NewClientset(objects...)
	startFake(t, testConfig(1), client)
	eventually(t, "two run and four are refused", func() (string, bool) {
		list, err := client.CoreV1().Pods("default").List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		running, refused := 0, 0
		for _, p := range list.Items {
			if p.Status.Phase == corev1.PodRunning {
				running++
			} else if p.Status.Reason == "OutOfcpu" {
				refused++
			}
		}
		return fmt.Sprint(running, refused), running == 2 && refused == 4
	})
}

func TestPodWaitsForItsConfigMapAndAsksOnceForAll(t *testing.T) {
	var objects []runtime.Object
	for i := range 5 {
		objects = append(objects, newPod(fmt.Sprintf("web-%d", i), firstNode(), func(p *corev1.Pod) {
			p.Spec.Volumes = []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
				LocalObjectReference: corev1.LocalObjectReference{Name: "settings"}}}}}
		}))
	}
	client := fake.NewClientset(objects...)
	startFake(t, testConfig(1), client)
	eventually(t, "event FailedMount", func() (string, bool) {
		list, _ := client.CoreV1().Events("default").List(t.Context(), metav1.ListOptions{})
		for _, e := range list.Items {
			if e.Reason == "FailedMount" && e.Message == `MountVolume.SetUp failed for volume "v" : configmap "settings" not found` {
				return "", true
			}
		}
		return fmt.Sprint(len(list.Items)), false
	})
	if n := writesOf(client, "get", "configmaps"); n > 3 {
		t.Errorf("%d requests for one ConfigMap", n)
	}
	if _, err := client.CoreV1().ConfigMaps("default").Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "settings"}},
		metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		waitPhase(t, client, fmt.Sprintf("web-%d", i), corev1.PodRunning)
	}
}

func TestLookupsTellRefusedFromMissing(t *testing.T) {
	client := fake.NewClientset()
	l := newLookups(client)
	pod, ref := newPod("web", "node"), podlife.Reference{Kind: podlife.Secret, Namespace: "default", Name: "s"}
	client.PrependReactor("get", "secrets", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(corev1.Resource("secrets"), "s", fmt.Errorf("no relationship found"))
	})
	if l.fetch(t.Context(), pod, []podlife.Reference{ref}) {
		t.Error("a refusal counts as an answer at once")
	}
	if _, err := l.get(ref, usualLife, 0); err != podlife.ErrUnknown {
		t.Errorf("got %v", err)
	}
	l.known[ref].refused = time.Now().Add(-time.Minute)
	if !l.fetch(t.Context(), pod, []podlife.Reference{ref}) {
		t.Error("a lasting refusal is no answer")
	}
	if _, err := l.get(ref, usualLife, 0); !apierrors.IsForbidden(err) {
		t.Errorf("got %v", err)
	}
	l.known[ref].at = time.Now().Add(-2 * usualLife)
	if _, err := l.get(ref, usualLife, 0); err != podlife.ErrUnknown {
		t.Errorf("believes for ever: %v", err)
	}
}

func TestWhatIsAskedForAPodIsBelievedUntilAllIsKnown(t *testing.T) {
	l := newLookups(fake.NewClientset())
	ref := podlife.Reference{Kind: podlife.ConfigMap, Name: "one of hundreds"}
	answered := &answer{done: make(chan struct{}), at: time.Now().Add(-3 * time.Second)}
	close(answered.done)
	l.known[ref] = answered
	if _, err := l.get(ref, troubledLife, 0); err != podlife.ErrUnknown {
		t.Errorf("an old answer is believed: %v", err)
	}
	if _, err := l.get(ref, troubledLife, time.Minute); err != nil {
		t.Errorf("an answer for the pod's sake is not: %v", err)
	}
}

func TestDeletedPodWithFinalizersEndsInATerminalPhase(t *testing.T) {
	client := fake.NewClientset(newPod("web", firstNode()))
	phases := make(chan string, 100)
	var deleted atomic.Bool
	client.PrependReactor("patch", "pods", func(action clienttesting.Action) (bool, runtime.Object, error) {
		var patch corev1.Pod
		if err := json.Unmarshal(action.(clienttesting.PatchAction).GetPatch(), &patch); err == nil && deleted.Load() {
			phases <- string(patch.Status.Phase)
		}
		return false, nil, nil
	})
	startFake(t, testConfig(1), client)
	pod := waitPhase(t, client, "web", corev1.PodRunning)
	deleted.Store(true)
	pod.DeletionTimestamp, pod.DeletionGracePeriodSeconds = new(metav1.Now()), new(int64(30))
	pod.Finalizers = []string{"example.com/keep"}
	if _, err := client.CoreV1().Pods("default").Update(t.Context(), pod, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "phase Succeeded, then deleted", func() (string, bool) {
		return "", len(phases) > 0 && writesOf(client, "delete", "pods") > 0
	})
	if got := <-phases; got != "Succeeded" {
		t.Errorf("phase %q", got)
	}
}

func TestPressureEvictsAndRefuses(t *testing.T) {
	client := fake.NewClientset(newPod("web", firstNode()))
	startFake(t, testConfig(1), client)
	waitPhase(t, client, "web", corev1.PodRunning)
	watched(t, client, "nodes")
	nodes := client.CoreV1().Nodes()
	node, err := nodes.Get(t.Context(), firstNode(), metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if node.Annotations == nil {
		node.Annotations = map[string]string{}
	}
	node.Annotations[podlife.AnnotationPressure] = "memory"
	if _, err := nodes.Update(t.Context(), node, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	pod := waitPhase(t, client, "web", corev1.PodFailed)
	if pod.Status.Reason != "Evicted" || !strings.HasPrefix(pod.Status.Message, "The node was low on resource: memory. ") {
		t.Errorf("status %+v", pod.Status)
	}
	eventually(t, "the node says so", func() (string, bool) {
		node, err := nodes.Get(t.Context(), firstNode(), metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range node.Status.Conditions {
			if c.Type == corev1.NodeMemoryPressure {
				return c.Reason, c.Status == corev1.ConditionTrue && c.Reason == "KubeletHasInsufficientMemory"
			}
		}
		return "", false
	})
}

func TestImagesOfANodeAreBounded(t *testing.T) {
	var i images
	for n := range 80 {
		i.add([]string{fmt.Sprintf("docker.io/library/app:%d", n)}, time.Now())
	}
	list := i.list()
	if len(list) != mostImages || list[0].SizeBytes < list[1].SizeBytes || len(list[0].Names) != 2 {
		t.Errorf("%d images, first %+v", len(list), list[0])
	}
}

func TestUsersStagePlaysWhereItMatches(t *testing.T) {
	const text = `
apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata:
  name: stuck
spec:
  resourceRef: {apiGroup: v1, kind: Pod}
  selector:
    matchLabels: {stuck: "yes"}
    matchExpressions:
    - {key: .status.phase, operator: In, values: [Pending]}
  steps:
  - event: {type: Warning, reason: Stuck, message: by a stage}
  - patch:
      subresource: status
      root: status
      template: |
        phase: Failed
        reason: Stuck
        hostIP: {{ NodeIPWith .spec.nodeName | Quote }}
        podIP: {{ PodIPWith .spec.nodeName ( or .spec.hostNetwork false ) ( or .metadata.uid "" ) ( or .metadata.name "" ) ( or .metadata.namespace "" ) | Quote }}
`
	var stage v1alpha1.Stage
	if err := yaml.UnmarshalStrict([]byte(text), &stage); err != nil {
		t.Fatal(err)
	}
	client := fake.NewClientset()
	s := startFake(t, testConfig(1), client)
	if err := s.running.player.setStages([]*v1alpha1.Stage{&stage}); err != nil {
		t.Fatal(err)
	}
	watched(t, client, "pods")
	for _, pod := range []*corev1.Pod{newPod("theirs", firstNode(), func(p *corev1.Pod) { p.Labels = map[string]string{"stuck": "yes"} }),
		newPod("ours", firstNode())} {
		if _, err := client.CoreV1().Pods("default").Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	waitPhase(t, client, "ours", corev1.PodRunning)
	pod := waitPhase(t, client, "theirs", corev1.PodFailed)
	if pod.Status.Reason != "Stuck" || pod.Status.HostIP == "" || pod.Status.PodIP == "" {
		t.Errorf("status %+v", pod.Status)
	}
	eventually(t, "the stage's event", func() (string, bool) {
		list, _ := client.CoreV1().Events("default").List(t.Context(), metav1.ListOptions{})
		for _, e := range list.Items {
			if e.Reason == "Stuck" {
				return "", true
			}
		}
		return "", false
	})
	stage.Spec.Selector.MatchExpressions[0] = v1alpha1.MatchExpression{JQ: &v1alpha1.SelectorJQ{Key: "(((", Operator: "Exists"}}
	if err := s.running.player.setStages([]*v1alpha1.Stage{&stage}); err == nil {
		if _, err := client.CoreV1().Pods("default").Create(t.Context(), newPod("after", firstNode()), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		waitPhase(t, client, "after", corev1.PodRunning) // a wrong stage holds nobody up
	}
}

func TestStatusPatchHasOnlyWhatIsDifferent(t *testing.T) {
	pod := newPod("web", "node")
	pod.Status = corev1.PodStatus{
		Phase: corev1.PodRunning, Reason: "Old", PodIP: "10.0.0.1", PodIPs: []corev1.PodIP{{IP: "10.0.0.1"}},
		Conditions: []corev1.PodCondition{{Type: "Ready", Status: "False", Reason: "R"}, {Type: "Other", Status: "True"},
			{Type: "Gone", Status: "True"}},
	}
	now := pod.Status.DeepCopy()
	now.Reason = ""
	now.Conditions[0].Status, now.Conditions[0].Reason = "True", ""
	now.Conditions = now.Conditions[:2]
	got, err := statusPatch(pod, now)
	const want = `{"metadata":{"uid":"uid-web"},"status":{"conditions":[` +
		`{"lastTransitionTime":null,"reason":null,"status":"True","type":"Ready"},` +
		`{"$patch":"delete","type":"Gone"}],"reason":null}}`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v", got, err)
	}
}
