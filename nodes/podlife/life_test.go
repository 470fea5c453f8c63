package podlife

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func TestOrdinaryPodIsReadyWithOneWrite(t *testing.T) {
	w := newWorld(t)
	w.pod.Spec.Containers = append(w.pod.Spec.Containers, corev1.Container{Name: "b", Image: "other@sha256:" + strings.Repeat("a", 64)})
	w.look()
	if w.writes != 1 || w.pod.Status.Phase != corev1.PodRunning || !w.ready() {
		t.Fatalf("%d writes, status %+v", w.writes, w.pod.Status)
	}
	if step := w.look(); step.Status != nil || !step.Wake.IsZero() || step.Memory != nil || len(step.Events) > 0 {
		t.Errorf("a pod that runs costs something: %+v", step)
	}
	cs := w.status("c")
	if cs.Image != "docker.io/library/app:1" || !strings.HasPrefix(cs.ImageID, "docker.io/library/app@sha256:") ||
		!strings.HasPrefix(cs.ContainerID, "containerd://") || cs.Started == nil || !*cs.Started || cs.RestartCount != 0 {
		t.Errorf("status %+v", cs)
	}
	if w.pod.Status.ContainerStatuses[0].Name != "b" {
		t.Error("the containers' statuses are not in order of their names")
	}
	if w.pod.Status.ObservedGeneration != 1 || w.condition(corev1.PodReady).ObservedGeneration != 1 {
		t.Error("no observed generation")
	}
	w.wantSaid("Pulling", `Pulling image "app:1"`)
	w.wantSaid("Pulled", `Successfully pulled image "app:1" in `)
	w.wantSaid("Created", "Container created")
	w.wantSaid("Started", "Container started")
}

func TestPullAndStartTakeTheirTime(t *testing.T) {
	w := newWorld(t)
	w.facts.Settings = &Settings{Pull: 3 * time.Second, Start: time.Second}
	w.look()
	w.want("ContainerCreating")
	w.pass(3500 * time.Millisecond)
	w.want("ContainerCreating")
	w.wantSaid("Pulled", `Successfully pulled image "app:1" in 3s (3s including waiting). Image size: `)
	w.pass(500 * time.Millisecond)
	w.want("Running")
}

func TestContainersDoWhatTheirCommandSays(t *testing.T) {
	for _, c := range []struct {
		command string
		after   time.Duration // -1: it does not end
		phase   corev1.PodPhase
		code    int32
	}{
		{"sleep 5", 5 * time.Second, corev1.PodSucceeded, 0},
		{"sleep 1.5", 1500 * time.Millisecond, corev1.PodSucceeded, 0},
		{"true", 0, corev1.PodSucceeded, 0},
		{"false", 0, corev1.PodFailed, 1},
		{"sh -c exit 42", 0, corev1.PodFailed, 42},
		{"sh -c sleep 2; exit 3", 2 * time.Second, corev1.PodFailed, 3},
		{"sh -c sleep infinity", -1, corev1.PodRunning, 0},
		{"python app.py", 0, corev1.PodSucceeded, 0}, // cannot be read
	} {
		words := strings.SplitN(c.command, " ", 3)
		if words[0] != "sh" {
			words = strings.Fields(c.command)
		}
		w := newWorld(t, policy(corev1.RestartPolicyNever), command(words...))
		w.look()
		if c.after > 0 {
			w.pass(c.after - time.Millisecond)
			w.want("Running")
			w.pass(time.Millisecond)
		} else {
			w.pass(time.Hour)
		}
		if w.pod.Status.Phase != c.phase {
			t.Errorf("%s: %s, want %s", c.command, w.pod.Status.Phase, c.phase)
		}
		if end := w.status("c").State.Terminated; c.after >= 0 && (end == nil || end.ExitCode != c.code) {
			t.Errorf("%s: ended as %+v", c.command, end)
		}
	}
}

func TestUnreadableCommandRunsForEverOrItsDefaultTime(t *testing.T) {
	owned := func(p *corev1.Pod) { p.OwnerReferences = []metav1.OwnerReference{{Kind: "Job", Name: "j"}} }
	w := newWorld(t, command("/app"))
	w.look()
	w.pass(time.Hour)
	w.want("Running")
	w = newWorld(t, command("/app"), owned, policy(corev1.RestartPolicyOnFailure))
	w.facts.Settings.Run = time.Minute
	w.look()
	w.pass(59 * time.Second)
	w.want("Running")
	w.pass(time.Second)
	w.want("Completed")
	w = newWorld(t, command("/app"), annotated("tripod.internal/run-for", "10s"), annotated("tripod.internal/exit-code.c", "7"),
		annotated("tripod.internal/termination-message", "out of luck"), policy(corev1.RestartPolicyNever))
	w.look()
	w.pass(10 * time.Second)
	if end := w.status("c").State.Terminated; end == nil || end.ExitCode != 7 || end.Message != "out of luck" ||
		end.FinishedAt.Sub(end.StartedAt.Time) != 10*time.Second {
		t.Errorf("ended as %+v", end)
	}
	w = newWorld(t, func(p *corev1.Pod) { p.Spec.Containers[0].Image = "registry.k8s.io/pause:3.10" }, policy(corev1.RestartPolicyNever))
	w.look()
	w.pass(time.Hour)
	w.want("Running")
}

func TestCrashLoopBacksOffAsKubelets(t *testing.T) {
	w := newWorld(t, command("sh", "-c", "sleep 1; exit 1"))
	w.look()
	w.pass(time.Second)
	w.want("Error")
	w.pass(time.Second) // restarted at once, as nothing is known against it
	w.want("Running")
	for _, pause := range []int{10, 20, 40, 80, 160, 300, 300} {
		w.pass(2 * time.Second)
		w.want("Error")
		w.pass(4 * time.Second)
		w.want("CrashLoopBackOff")
		cs := w.status("c")
		want := fmt.Sprintf("back-off %v restarting failed container=c pod=web_default(uid-1)", time.Duration(pause)*time.Second)
		if cs.State.Waiting.Message != want {
			t.Fatalf("got %q, want %q", cs.State.Waiting.Message, want)
		}
		if w.pod.Status.Phase != corev1.PodRunning {
			t.Errorf("phase %s", w.pod.Status.Phase)
		}
		before := cs.RestartCount
		w.pass(time.Duration(pause-5) * time.Second) // it has waited five seconds already
		w.want("Running")
		if got := w.status("c"); got.RestartCount != before+1 || got.LastTerminationState.Terminated.ExitCode != 1 {
			t.Fatalf("status %+v", got)
		}
	}
	w.wantSaid("BackOff", "Back-off restarting failed container c in pod web_default(uid-1)")
}

func TestBackOffSurvivesARestartAndALongRunForgetsIt(t *testing.T) {
	w := newWorld(t, command("sh", "-c", "exit 1"))
	w.look()
	w.pass(17 * time.Second) // two restarts
	w.want("CrashLoopBackOff")
	w.restart()
	w.look()
	if got := w.status("c").State.Waiting.Message; !strings.HasPrefix(got, "back-off 20s") {
		t.Errorf("after a restart: %s", got)
	}
	w.pod.Spec.Containers[0].Command = []string{"sleep", "660"}
	w.pass(30 * time.Second)
	w.want("Running")
	w.pass(11 * time.Minute)
	w.want("Running") // at once again
}

func TestOnFailureRestartsUntilItSucceeds(t *testing.T) {
	w := newWorld(t, command("sh", "-c", "exit 2"), policy(corev1.RestartPolicyOnFailure))
	w.look()
	w.pass(7 * time.Second)
	w.want("CrashLoopBackOff")
	w.pod.Annotations = map[string]string{"tripod.internal/exit-code": "0"}
	w.pass(20 * time.Second)
	if w.pod.Status.Phase != corev1.PodSucceeded || w.status("c").RestartCount == 0 {
		t.Errorf("status %+v", w.pod.Status)
	}
}

func TestRestartRulesOfContainers(t *testing.T) {
	never := corev1.ContainerRestartPolicyNever
	w := newWorld(t, command("sh", "-c", "exit 42"), policy(corev1.RestartPolicyNever), container(func(c *corev1.Container) {
		c.RestartPolicy = &never
		c.RestartPolicyRules = []corev1.ContainerRestartRule{{
			Action: corev1.ContainerRestartRuleActionRestart,
			ExitCodes: &corev1.ContainerRestartRuleOnExitCodes{
				Operator: corev1.ContainerRestartRuleOnExitCodesOpIn, Values: []int32{42},
			},
		}}
	}))
	w.look()
	w.pass(7 * time.Second)
	w.want("CrashLoopBackOff")
	w.pod.Annotations = map[string]string{"tripod.internal/exit-code": "1"}
	w.pass(20 * time.Second)
	if w.pod.Status.Phase != corev1.PodFailed {
		t.Errorf("phase %s", w.pod.Status.Phase)
	}
}

func TestInitContainersRunInOrderAndHoldThePodBack(t *testing.T) {
	w := newWorld(t, initContainer("first", "sleep", "2"), initContainer("second", "sleep", "3"))
	w.look()
	if w.status("first").State.Running == nil || w.status("second").State.Waiting == nil || w.pod.Status.Phase != corev1.PodPending {
		t.Fatalf("status %+v", w.pod.Status)
	}
	if c := w.condition(corev1.PodInitialized); c.Status != corev1.ConditionFalse || c.Reason != "ContainersNotInitialized" ||
		c.Message != "containers with incomplete status: [first second]" {
		t.Errorf("condition %+v", c)
	}
	w.pass(2 * time.Second)
	if w.status("second").State.Running == nil || !w.status("first").Ready || w.status("c").State.Waiting.Reason != "PodInitializing" {
		t.Fatalf("status %+v", w.pod.Status)
	}
	w.pass(3 * time.Second)
	if !w.ready() || w.condition(corev1.PodInitialized).Status != corev1.ConditionTrue {
		t.Errorf("status %+v", w.pod.Status)
	}

	w = newWorld(t, initContainer("bad", "false"))
	w.look()
	w.want("Init:Error")
	w.pass(6 * time.Second)
	w.want("Init:CrashLoopBackOff")
	if w.pod.Status.Phase != corev1.PodPending {
		t.Errorf("phase %s", w.pod.Status.Phase)
	}
	w.pass(6 * time.Second)
	if w.status("bad").RestartCount != 2 {
		t.Errorf("restarts %d", w.status("bad").RestartCount)
	}

	w = newWorld(t, initContainer("bad", "false"), policy(corev1.RestartPolicyNever))
	w.look()
	if w.pod.Status.Phase != corev1.PodFailed {
		t.Errorf("phase %s", w.pod.Status.Phase)
	}
}

func TestSidecarsStartFirstAndEndLast(t *testing.T) {
	w := newWorld(t, command("sleep", "5"), policy(corev1.RestartPolicyNever), sidecarContainer("proxy", func(c *corev1.Container) {
		c.StartupProbe = &corev1.Probe{InitialDelaySeconds: 2, PeriodSeconds: 1,
			ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{}}}
	}), annotated("tripod.internal/stop-after.proxy", "3s"))
	w.look()
	if w.status("proxy").State.Running == nil || w.status("c").State.Waiting == nil {
		t.Fatalf("status %+v", w.pod.Status)
	}
	w.pass(2 * time.Second)
	if w.status("c").State.Running == nil || !w.ready() {
		t.Fatalf("status %+v", w.pod.Status)
	}
	w.pass(5 * time.Second)
	if w.status("c").State.Terminated == nil || w.status("proxy").State.Running == nil || w.pod.Status.Phase != corev1.PodRunning {
		t.Fatalf("status %+v", w.pod.Status)
	}
	w.wantSaid("Killing", "Stopping container proxy")
	w.pass(3 * time.Second)
	if w.pod.Status.Phase != corev1.PodSucceeded || w.said("Killing", "Stopping container proxy") != 1 {
		t.Fatalf("status %+v, events %+v", w.pod.Status, w.events)
	}
}

func TestProbesObeyTheirThresholds(t *testing.T) {
	get := corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Port: intstr.FromInt32(80)}}
	w := newWorld(t, container(func(c *corev1.Container) {
		c.ReadinessProbe = &corev1.Probe{ProbeHandler: get, InitialDelaySeconds: 5, PeriodSeconds: 2, SuccessThreshold: 2, FailureThreshold: 3}
	}))
	w.look()
	w.pass(6 * time.Second)
	if w.ready() || w.pod.Status.Phase != corev1.PodRunning {
		t.Fatal("ready before its second success")
	}
	if c := w.condition(corev1.ContainersReady); c.Message != "containers with unready status: [c]" || c.Reason != "ContainersNotReady" {
		t.Errorf("condition %+v", c)
	}
	w.pass(time.Second)
	if !w.ready() || w.facts.Memory != nil || !w.wake.IsZero() {
		t.Fatalf("ready %v, memory %+v", w.ready(), w.facts.Memory)
	}
	w.pod.Annotations = map[string]string{"tripod.internal/fault": "not-ready"}
	w.look()
	w.pass(3 * time.Second)
	if !w.ready() {
		t.Error("not ready after two failures")
	}
	w.pass(time.Second)
	if w.ready() {
		t.Error("ready after three failures")
	}
	w.wantSaid("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503")
	w.pod.Annotations = nil
	w.pass(5 * time.Second)
	if !w.ready() {
		t.Error("not ready again")
	}
}

func TestLivenessRestartsAndStartupProtects(t *testing.T) {
	w := newWorld(t, container(func(c *corev1.Container) {
		c.LivenessProbe = &corev1.Probe{PeriodSeconds: 5, FailureThreshold: 3, InitialDelaySeconds: 5,
			ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"cat", "/tmp/healthy"}}}}
	}), command("/bin/sh", "-c", "touch /tmp/healthy; sleep 30; rm -f /tmp/healthy; sleep 600"))
	w.look()
	w.pass(39 * time.Second)
	if w.status("c").RestartCount != 0 {
		t.Fatal("restarted too early")
	}
	w.pass(2 * time.Second)
	w.wantSaid("Unhealthy", "Liveness probe failed: cat: can't open '/tmp/healthy': No such file or directory")
	w.wantSaid("Killing", "Container c failed liveness probe, will be restarted")
	w.pass(2 * time.Second)
	if cs := w.status("c"); cs.RestartCount != 1 || cs.LastTerminationState.Terminated.ExitCode != exitTerminated {
		t.Errorf("status %+v", cs)
	}

	w = newWorld(t, container(func(c *corev1.Container) {
		c.StartupProbe = &corev1.Probe{PeriodSeconds: 10, FailureThreshold: 3,
			ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(5432)}}}
		c.LivenessProbe = &corev1.Probe{PeriodSeconds: 1, FailureThreshold: 1,
			ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{}}}
	}), annotated("tripod.internal/ready-after", "15s"))
	w.look()
	w.pass(19 * time.Second)
	if w.ready() || *w.status("c").Started {
		t.Error("started too early")
	}
	w.wantSaid("Unhealthy", "Startup probe failed: dial tcp 10.0.1.5:5432: connect: connection refused")
	w.pass(time.Second)
	if !w.ready() || w.status("c").RestartCount != 0 {
		t.Errorf("status %+v", w.pod.Status)
	}
	w.pod.Annotations["tripod.internal/liveness"] = "fail"
	w.look()
	w.pass(3 * time.Second)
	if w.status("c").RestartCount == 0 {
		t.Error("not restarted")
	}
}

func TestDeletionTakesTheTimeItTakes(t *testing.T) {
	w := newWorld(t)
	w.look()
	w.deleting(30)
	step := w.look()
	if !w.deleted || step.Status != nil {
		t.Errorf("not deleted at once: %+v", step)
	}
	w.wantSaid("Killing", "Stopping container c")

	w = newWorld(t, container(func(c *corev1.Container) {
		c.Lifecycle = &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: []string{"sleep", "5"}}}}
	}), annotated("tripod.internal/stop-after", "2s"))
	w.look()
	w.deleting(30)
	w.pass(6900 * time.Millisecond)
	if w.deleted {
		t.Error("deleted before its hook and its process ended")
	}
	w.pass(100 * time.Millisecond)
	if !w.deleted || w.said("Killing", "Stopping container c") != 1 {
		t.Errorf("deleted %v, events %v", w.deleted, w.events)
	}

	w = newWorld(t, annotated("tripod.internal/stop-after", "never"), func(p *corev1.Pod) { p.Finalizers = []string{"a/b"} })
	w.look()
	w.deleting(7)
	w.pass(6 * time.Second)
	w.want("Running")
	w.pass(time.Second)
	if end := w.status("c").State.Terminated; !w.deleted || w.pod.Status.Phase != corev1.PodFailed || end.ExitCode != 137 {
		t.Errorf("status %+v", w.pod.Status)
	}
	w.deleting(0) // as the API server leaves it
	if step := w.look(); step.Delete {
		t.Error("deletes again and again")
	}
}

func TestDeadlineAndEvictionEndThePod(t *testing.T) {
	w := newWorld(t, func(p *corev1.Pod) { p.Spec.ActiveDeadlineSeconds = new(int64(10)) })
	w.look()
	w.pass(9 * time.Second)
	w.want("Running")
	w.pass(time.Second)
	w.want("DeadlineExceeded")
	if w.pod.Status.Phase != corev1.PodFailed || w.pod.Status.Message != "Pod was active on the node longer than the specified deadline" {
		t.Errorf("status %+v", w.pod.Status)
	}

	w = newWorld(t)
	w.look()
	w.facts.Evict = &Eviction{EvictionMessage(w.pod, Starved(corev1.NodeMemoryPressure), time.Time{})}
	w.look()
	const message = "The node was low on resource: memory. Threshold quantity: 100Mi, available: 92Mi. " +
		"Container c was using 16Mi, request is 0, has larger consumption of memory. "
	if w.pod.Status.Reason != "Evicted" || w.pod.Status.Message != message ||
		w.condition(corev1.DisruptionTarget).Reason != "TerminationByKubelet" {
		t.Errorf("status %+v", w.pod.Status)
	}
	w.wantSaid("Evicted", message)
}

func TestVictimIsTheOneThatExceedsItsRequests(t *testing.T) {
	pod := func(name string, priority int32, request, usage string) *corev1.Pod {
		p := newWorld(t, annotated("tripod.internal/memory", usage)).pod
		p.Name, p.Spec.Priority = name, &priority
		p.Status.StartTime = &metav1.Time{Time: noon}
		if request != "" {
			p.Spec.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(request)}
		}
		return p
	}
	pods := []*corev1.Pod{
		pod("critical", systemCritical, "", "1Gi"), pod("fits", -5, "1Gi", "10Mi"), pod("big", 10, "", "800Mi"), pod("small", 10, "", "10Mi"),
		pod("important", 1000, "", "2Gi"),
	}
	if got := Victim(pods, corev1.ResourceMemory, time.Time{}); got.Name != "big" {
		t.Errorf("got %s", got.Name)
	}
	if got := Victim(pods, corev1.ResourceEphemeralStorage, time.Time{}); got.Name != "fits" {
		t.Errorf("by priority alone: got %s", got.Name)
	}
	if Victim(pods[:1], corev1.ResourceMemory, time.Time{}) != nil {
		t.Error("a critical pod is evicted")
	}
}
