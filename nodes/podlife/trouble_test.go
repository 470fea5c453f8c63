package podlife

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestKubeletRefusesWhatDoesNotFit(t *testing.T) {
	asks := func(cpu, memory string) func(*corev1.Pod) {
		return container(func(c *corev1.Container) {
			c.Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu),
				corev1.ResourceMemory: resource.MustParse(memory)}
		})
	}
	port := container(func(c *corev1.Container) { c.Ports = []corev1.ContainerPort{{HostPort: 8080, ContainerPort: 80}} })
	other := func(change ...func(*corev1.Pod)) *corev1.Pod {
		p := newWorld(t, change...).pod
		p.UID, p.Name = "other", "other"
		return p
	}
	for name, c := range map[string]struct {
		change          func(*world)
		reason, message string
	}{
		"cpu": {func(w *world) { asks("1500m", "1Gi")(w.pod); w.others = []*corev1.Pod{other(asks("1", "1Gi"))} },
			"OutOfcpu", "Node didn't have enough resource: cpu, requested: 1500, used: 1000, capacity: 2000"},
		"memory": {func(w *world) { asks("1", "8Gi")(w.pod) },
			"OutOfmemory", "Node didn't have enough resource: memory, requested: 8589934592, used: 0, capacity: 4294967296"},
		"pods": {func(w *world) {
			for range 10 {
				w.others = append(w.others, other())
			}
		}, "OutOfpods", "Node didn't have enough resource: pods, requested: 1, used: 10, capacity: 10"},
		"selector": {func(w *world) { w.pod.Spec.NodeSelector = map[string]string{"disk": "ssd"} },
			"NodeAffinity", "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector"},
		"ports": {func(w *world) { port(w.pod); w.others = []*corev1.Pod{other(port)} },
			"NodePorts", "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports"},
		"taint": {func(w *world) {
			w.facts.Node.Spec.Taints = []corev1.Taint{{Key: "a", Effect: corev1.TaintEffectNoSchedule},
				{Key: "b", Effect: corev1.TaintEffectNoExecute}}
		}, "TaintToleration", "Predicate TaintToleration failed: node(s) had taints that the pod didn't tolerate"},
		"os": {func(w *world) { w.pod.Spec.OS = &corev1.PodOS{Name: corev1.Windows} },
			"PodOSNotSupported", "Failed to admit pod as the OS field doesn't match node OS"},
		"sysctl": {func(w *world) {
			w.pod.Spec.SecurityContext = &corev1.PodSecurityContext{Sysctls: []corev1.Sysctl{{Name: "kernel/msgmax", Value: "1"}}}
		}, "SysctlForbidden", `forbidden sysctl: "kernel.msgmax" not allowlisted`},
		"pressure": {func(w *world) { w.facts.Node.Annotations = map[string]string{AnnotationPressure: "memory"} },
			"Evicted", "The node had condition: [MemoryPressure]. "},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			c.change(w)
			step := w.look()
			if step.Admitted || w.pod.Status.Phase != corev1.PodFailed || w.pod.Status.Reason != c.reason ||
				w.pod.Status.Message != "Pod was rejected: "+c.message {
				t.Errorf("status %+v", w.pod.Status)
			}
			w.wantSaid(c.reason, c.message)
		})
	}
}

func TestKubeletLetsInWhatFits(t *testing.T) {
	w := newWorld(t)
	w.facts.Node.Spec.Taints = []corev1.Taint{{Key: "a", Effect: corev1.TaintEffectNoSchedule}}
	w.facts.Node.Annotations = map[string]string{AnnotationPressure: "memory"}
	w.pod.Spec.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("2")}
	w.pod.Spec.SecurityContext = &corev1.PodSecurityContext{Sysctls: []corev1.Sysctl{{Name: "net.ipv4.tcp_syncookies", Value: "1"}}}
	if step := w.look(); !step.Admitted {
		t.Errorf("status %+v", w.pod.Status)
	}
	w = newWorld(t)
	node := w.facts.Node
	w.facts.Node = nil
	if step := w.look(); step.Status != nil {
		t.Error("a pod is judged without its node")
	}
	w.facts.Node = node
	w.look()
	w.want("Running")
}

func TestMissingVolumeKeepsThePodBackUntilItComes(t *testing.T) {
	for name, c := range map[string]struct {
		volume  corev1.VolumeSource
		message string
		comes   map[Reference]Object
	}{
		"configmap": {corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "y"}}},
			`MountVolume.SetUp failed for volume "x" : configmap "y" not found`, map[Reference]Object{{ConfigMap, "default", "y"}: {}}},
		"secret key": {corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "y", Items: []corev1.KeyToPath{{Key: "k"}}}},
			`MountVolume.SetUp failed for volume "x" : references non-existent secret key: k`,
			map[Reference]Object{{Secret, "default", "y"}: {Keys: map[string]bool{"k": true}}}},
		"claim": {corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "y"}},
			"Unable to attach or mount volumes: unmounted volumes=[x], unattached volumes=[], failed to process volumes=[x]: " +
				`error processing PVC default/y: failed to fetch PVC from API server: persistentvolumeclaims "y" not found`,
			map[Reference]Object{{Claim, "default", "y"}: {Bound: true}}},
		"token": {corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
			{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{}}}}},
			`MountVolume.SetUp failed for volume "x" : failed to fetch token: serviceaccounts "default" not found`,
			map[Reference]Object{{ServiceAccount, "default", "default"}: {}}},
		"trust bundle": {corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
			{ClusterTrustBundle: &corev1.ClusterTrustBundleProjection{Name: new("y")}}}}},
			`MountVolume.SetUp failed for volume "x" : while getting ClusterTrustBundle: ` +
				`clustertrustbundle.certificates.k8s.io "y" not found`,
			map[Reference]Object{{Kind: TrustBundle, Name: "y"}: {}}},
		"signer's trust bundles": {corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
			{ClusterTrustBundle: &corev1.ClusterTrustBundleProjection{SignerName: new("a.b/c"),
				LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"live": "yes"}}}}}}},
			`MountVolume.SetUp failed for volume "x" : combination of signerName and labelSelector matched zero ClusterTrustBundles`,
			map[Reference]Object{{Kind: SignersBundles, Name: "a.b/c?live=yes"}: {}}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(p *corev1.Pod) { p.Spec.Volumes = []corev1.Volume{{Name: "x", VolumeSource: c.volume}} })
			w.objects[Reference{Secret, "default", "y"}] = Object{}
			w.look()
			w.pass(time.Minute)
			w.want("ContainerCreating")
			if w.pod.Status.PodIP != "" || w.condition(corev1.PodReadyToStartContainers).Status != corev1.ConditionFalse {
				t.Errorf("status %+v", w.pod.Status)
			}
			w.wantSaid("FailedMount", c.message)
			if n := w.said("FailedMount", ""); n < 4 || n > 10 {
				t.Errorf("%d events in a minute", n)
			}
			w.pass(3 * time.Minute)
			if name != "claim" {
				w.wantSaid("FailedMount", "Unable to attach or mount volumes: unmounted volumes=[x], unattached volumes=[], "+
					"failed to process volumes=[]: context deadline exceeded")
			}
			for ref, object := range c.comes {
				w.objects[ref] = object
			}
			w.pass(lookAgain)
			w.want("Running")
		})
	}
}

func TestOptionalThingsDoNotMatter(t *testing.T) {
	w := newWorld(t, func(p *corev1.Pod) {
		p.Spec.Volumes = []corev1.Volume{{Name: "x", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: "y"}, Optional: new(true)}}}}
		p.Spec.Containers[0].EnvFrom = []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: "z"}, Optional: new(true)}}}
	})
	w.look()
	w.want("Running")
}

func TestMissingVariableKeepsTheContainerBackUntilItComes(t *testing.T) {
	w := newWorld(t, container(func(c *corev1.Container) {
		c.Env = []corev1.EnvVar{{Name: "A", ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: "y"}, Key: "k"}}}}
	}))
	w.look()
	w.want("CreateContainerConfigError")
	if got := w.status("c").State.Waiting.Message; got != `configmap "y" not found` || w.pod.Status.Phase != corev1.PodPending {
		t.Errorf("message %q, phase %s", got, w.pod.Status.Phase)
	}
	w.wantSaid("Failed", `Error: configmap "y" not found`)
	w.objects[Reference{ConfigMap, "default", "y"}] = Object{Keys: map[string]bool{"other": true}}
	w.pass(30 * time.Second)
	if got := w.status("c").State.Waiting.Message; got != `couldn't find key k in ConfigMap default/y` {
		t.Errorf("message %q", got)
	}
	w.objects[Reference{ConfigMap, "default", "y"}] = Object{Keys: map[string]bool{"k": true}}
	w.pass(lookAgain)
	w.want("Running")
}

func TestWhatIsNotKnownIsAskedForFirst(t *testing.T) {
	w := newWorld(t, func(p *corev1.Pod) { p.Spec.RuntimeClassName = new("gvisor") })
	w.facts.Lookup = func(Reference) (Object, error) { return Object{}, ErrUnknown }
	step := w.look()
	if len(step.Wanted) != 1 || step.Wanted[0] != (Reference{Kind: RuntimeClass, Name: "gvisor"}) || step.Wake.IsZero() {
		t.Errorf("step %+v", step)
	}
}

func TestSandboxFailsWithoutRuntimeOrAddress(t *testing.T) {
	w := newWorld(t, func(p *corev1.Pod) { p.Spec.RuntimeClassName = new("gvisor") })
	w.look()
	w.wantSaid("FailedCreatePodSandBox", `Failed to create pod sandbox: runtimeclass.node.k8s.io "gvisor" not found`)
	w.objects[Reference{Kind: RuntimeClass, Name: "gvisor"}] = Object{Handler: "runsc"}
	w.pass(10 * time.Second)
	w.wantSaid("FailedCreatePodSandBox", "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to get sandbox runtime: "+
		`no runtime for "runsc" is configured`)
	w.facts.Settings = &Settings{RuntimeHandlers: []string{"runsc"}}
	w.facts.Address = func(*corev1.Pod) (string, error) { return "", errFull }
	w.pass(10 * time.Second)
	w.want("ContainerCreating")
	const network = "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network"
	if n := w.said("FailedCreatePodSandBox", network); n != 1 {
		t.Errorf("%d events", n)
	}
	w.facts.Address = func(*corev1.Pod) (string, error) { return "10.0.1.7", nil }
	w.pass(10 * time.Second)
	w.want("Running")
}

func TestImageThatCannotBePulled(t *testing.T) {
	w := newWorld(t, container(func(c *corev1.Container) { c.Image = "app:does-not-exist" }))
	w.look()
	w.want("ErrImagePull")
	const why = `rpc error: code = NotFound desc = failed to pull and unpack image "docker.io/library/app:does-not-exist": ` +
		`failed to resolve reference "docker.io/library/app:does-not-exist": docker.io/library/app:does-not-exist: not found`
	w.wantSaid("Failed", `Failed to pull image "app:does-not-exist": `+why)
	w.wantSaid("Failed", "Error: ErrImagePull")
	w.pass(2 * time.Second)
	w.want("ImagePullBackOff")
	if got := w.status("c").State.Waiting.Message; got != `Back-off pulling image "app:does-not-exist": ErrImagePull: `+why {
		t.Errorf("message %q", got)
	}
	w.wantSaid("BackOff", `Back-off pulling image "app:does-not-exist"`)
	w.wantSaid("Failed", "Error: ImagePullBackOff")
	w.pass(8 * time.Second)
	w.want("ErrImagePull")
	w.pass(15 * time.Second)
	w.want("ImagePullBackOff")
	if n := w.said("Pulling", ""); n != 2 {
		t.Errorf("%d pulls in 25 s", n)
	}
	w.pod.Spec.Containers[0].Image = "app:2"
	w.look()
	w.want("Running")
}

func TestImageNamesThatAreInvalidOrAbsent(t *testing.T) {
	w := newWorld(t, container(func(c *corev1.Container) { c.Image = "App:1:2" }))
	w.look()
	w.want("InvalidImageName")
	w.wantSaid("InspectFailed", `Failed to apply default image tag "App:1:2": couldn't parse image name "App:1:2": invalid reference format`)
	never := container(func(c *corev1.Container) { c.ImagePullPolicy = corev1.PullNever })
	w = newWorld(t, never)
	w.look()
	w.want("ErrImageNeverPull")
	w.wantSaid("ErrImageNeverPull", `Container image "app:1" is not present with pull policy of Never`)
	w.images["docker.io/library/app:1"] = true // by another pod
	w.pass(resync)
	w.want("Running")
	w = newWorld(t, never, annotated("tripod.internal/image", "present"))
	w.look()
	w.want("Running")
	w.wantSaid("Pulled", `Container image "app:1" already present on machine and can be accessed by the pod`)
}

func TestImagesAreReadAsContainerdReadsThem(t *testing.T) {
	for image, want := range map[string]string{
		"nginx": "docker.io/library/nginx:latest", "nginx:1.27": "docker.io/library/nginx:1.27",
		"bitnami/kafka":        "docker.io/bitnami/kafka:latest",
		"localhost:5000/a/b:c": "localhost:5000/a/b:c", "public.ecr.aws/x/y": "public.ecr.aws/x/y:latest",
		"a/b:c@sha256:" + strings.Repeat("0", 64): "docker.io/a/b@sha256:" + strings.Repeat("0", 64),
	} {
		if got := Normalize(image); got != want || Normalize(got) != want {
			t.Errorf("%s: got %s, want %s", image, got, want)
		}
		if !imageForm.MatchString(image) {
			t.Errorf("%s is no image", image)
		}
	}
	for _, image := range []string{"", "Nginx", "a b", ":1", "a//b", "a:b:c", "-a"} {
		if imageForm.MatchString(image) {
			t.Errorf("%q is an image", image)
		}
	}
	for image, bad := range map[string]bool{
		"nginx:nonexistent": true, "invalid.registry.k8s.io/invalid/alpine:3.1": true, "registry.invalid/a/b": true, "x/y/nonexistent": true,
		"nginx:missing": true, "nginx": false, "missing/nginx": false, "registry.k8s.io/pause:3.10": false, "a.b.invalid/c:1": true,
	} {
		got := false
		for _, pattern := range badImages {
			got = got || Matches(pattern, image)
		}
		if got != bad {
			t.Errorf("%s: bad %v", image, got)
		}
	}
}

func TestChangedImageRestartsTheContainer(t *testing.T) {
	w := newWorld(t)
	w.look()
	w.pod.Spec.Containers[0].Image = "app:2"
	w.look()
	w.wantSaid("Killing", "Container c definition changed, will be restarted")
	w.pass(2 * time.Second)
	if cs := w.status("c"); cs.RestartCount != 1 || cs.Image != "docker.io/library/app:2" || cs.State.Running == nil {
		t.Errorf("status %+v", cs)
	}
}

func TestFaultsComeAndGo(t *testing.T) {
	for fault, shown := range map[string]string{
		"crash-loop": "CrashLoopBackOff", "oom-kill": "CrashLoopBackOff", "exit=3": "CrashLoopBackOff", "image-pull": "ImagePullBackOff",
	} {
		w := newWorld(t)
		w.look()
		w.pod.Annotations = map[string]string{AnnotationFault: fault}
		w.look()
		w.pass(8 * time.Second)
		w.want(shown)
		if fault == "oom-kill" {
			if end := w.status("c").LastTerminationState.Terminated; end.Reason != "OOMKilled" || end.ExitCode != 137 {
				t.Errorf("ended as %+v", end)
			}
		}
		w.pod.Annotations = nil
		w.pass(25 * time.Second)
		w.want("Running")
		if !w.ready() {
			t.Errorf("%s: not ready again", fault)
		}
	}
	w := newWorld(t, annotated(AnnotationFault, "slow-start=20s"))
	w.look()
	w.pass(19 * time.Second)
	if w.ready() {
		t.Error("ready too early")
	}
	w.pass(time.Second)
	if !w.ready() {
		t.Error("not ready")
	}
	for text, ok := range map[string]bool{"crash-loop": true, "exit=3,not-ready": true, "slow-start": true, "slow-start=5s": true,
		"exit": false, "exit=300": false, "slow-start=x": false, "explode": false} {
		if err := ParseFault(text); (err == nil) != ok {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestStartErrorAndHookAndRootless(t *testing.T) {
	w := newWorld(t, command("/bin/does-not-exist"))
	w.look()
	if end := w.status("c").State.Terminated; end == nil || end.Reason != "StartError" || end.ExitCode != 128 {
		t.Fatalf("status %+v", w.status("c"))
	}
	w.pass(7 * time.Second)
	w.want("CrashLoopBackOff")
	w = newWorld(t, container(func(c *corev1.Container) {
		c.Lifecycle = &corev1.Lifecycle{PostStart: &corev1.LifecycleHandler{
			Exec: &corev1.ExecAction{Command: []string{"sh", "-c", "sleep 3; exit 1"}}}}
	}))
	w.look()
	w.pass(2 * time.Second)
	w.want("ContainerCreating")
	w.pass(time.Second)
	w.want("Error")
	w.wantSaid("FailedPostStartHook", "PostStartHook failed")
	w = newWorld(t, func(p *corev1.Pod) {
		p.Spec.SecurityContext = &corev1.PodSecurityContext{RunAsNonRoot: new(true), RunAsUser: new(int64(0))}
	})
	w.look()
	w.want("CreateContainerConfigError")
}

func TestEphemeralContainersRun(t *testing.T) {
	w := newWorld(t)
	w.look()
	w.pod.Spec.EphemeralContainers = []corev1.EphemeralContainer{
		{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "debug", Image: "busybox", Command: []string{"sh"}}},
		{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "short", Image: "busybox", Command: []string{"sleep", "3"}}},
	}
	w.look()
	w.pass(3 * time.Second)
	if w.status("debug").State.Running == nil || w.status("short").State.Terminated == nil || !w.ready() {
		t.Errorf("status %+v", w.pod.Status)
	}
	if step := w.look(); step.Status != nil || !step.Wake.IsZero() {
		t.Errorf("step %+v", step)
	}
}

func TestResizeInPlace(t *testing.T) {
	set := func(p *corev1.Pod, cpu string) {
		p.Spec.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu)}
		p.Generation++
	}
	w := newWorld(t, func(p *corev1.Pod) { set(p, "500m") })
	w.others = []*corev1.Pod{newWorld(t, func(p *corev1.Pod) { p.UID = "other"; set(p, "1") }).pod}
	w.look()
	if got := w.status("c").AllocatedResources.Cpu().String(); got != "500m" {
		t.Errorf("allocated %s", got)
	}
	set(w.pod, "800m")
	w.look()
	cs := w.status("c")
	if cs.AllocatedResources.Cpu().String() != "800m" || cs.Resources.Requests.Cpu().String() != "800m" || cs.RestartCount != 0 {
		t.Errorf("status %+v", cs)
	}
	w.wantSaid("ResizeStarted", `Pod resize started: {"containers":[{"name":"c","resources":{"requests":{"cpu":"800m"}}}],"generation":3}`)
	w.wantSaid("ResizeCompleted", "Pod resize completed: ")
	set(w.pod, "1500m")
	if step := w.look(); !step.Waiting {
		t.Error("does not wait")
	}
	if c := w.condition(corev1.PodResizePending); c.Reason != "Deferred" ||
		c.Message != "Node didn't have enough resource: cpu, requested: 1500, used: 1000, capacity: 2000" {
		t.Errorf("condition %+v", c)
	}
	w.others = nil
	w.look()
	if c := w.condition(corev1.PodResizePending); c.Reason != "" || w.status("c").AllocatedResources.Cpu().String() != "1500m" {
		t.Errorf("status %+v", w.pod.Status)
	}
	set(w.pod, "10")
	w.look()
	if c := w.condition(corev1.PodResizePending); c.Reason != "Infeasible" {
		t.Errorf("condition %+v", c)
	}
	w.pod.Spec.Containers[0].ResizePolicy = []corev1.ContainerResizePolicy{{ResourceName: "cpu", RestartPolicy: corev1.RestartContainer}}
	set(w.pod, "1")
	w.look()
	w.wantSaid("Killing", "Container c resize requires restart, will be restarted")
	w.pass(2 * time.Second)
	if w.status("c").RestartCount != 1 || !w.ready() {
		t.Errorf("status %+v", w.pod.Status)
	}
}

func TestReadinessGatesAreOthers(t *testing.T) {
	w := newWorld(t, func(p *corev1.Pod) { p.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: "lb/ready"}} })
	w.look()
	if c := w.condition(corev1.PodReady); c.Reason != "ReadinessGatesNotReady" ||
		c.Message != `corresponding condition of pod readiness gate "lb/ready" does not exist.` {
		t.Errorf("condition %+v", c)
	}
	w.pod.Status.Conditions = append(w.pod.Status.Conditions, corev1.PodCondition{Type: "lb/ready", Status: corev1.ConditionTrue,
		LastTransitionTime: metav1.NewTime(noon)})
	w.look()
	if !w.ready() {
		t.Errorf("status %+v", w.pod.Status)
	}
}

func TestAllOfAPodsVolumesAreAskedForAtOnce(t *testing.T) {
	w := newWorld(t, func(p *corev1.Pod) {
		for range 2 {
			projected := &corev1.ProjectedVolumeSource{}
			for range 150 {
				projected.Sources = append(projected.Sources,
					corev1.VolumeProjection{ClusterTrustBundle: &corev1.ClusterTrustBundleProjection{Name: new("x")}})
			}
			p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{VolumeSource: corev1.VolumeSource{Projected: projected}})
		}
	})
	w.facts.Lookup = func(Reference) (Object, error) { return Object{}, ErrUnknown }
	if got := len(w.look().Wanted); got != 300 {
		t.Errorf("%d of 300 objects are asked for", got)
	}
}

func TestRootIsNotStartedWhereItMustNotBe(t *testing.T) {
	for _, c := range []struct {
		image string
		user  *int64
		want  string
	}{
		{"busybox:1.37", nil, "container has runAsNonRoot and image will run as root (pod: \"web_default(uid-1)\", container: c)"},
		{"busybox:1.37", new(int64(0)), "container's runAsUser breaks non-root policy (pod: \"web_default(uid-1)\", container: c)"},
		{"busybox:1.37", new(int64(5)), ""},
		{"app:1", nil, ""},
	} {
		w := newWorld(t, container(func(k *corev1.Container) {
			k.Image, k.SecurityContext = c.image, &corev1.SecurityContext{RunAsNonRoot: new(true), RunAsUser: c.user}
		}))
		w.look()
		if c.want == "" {
			w.want("Running")
			continue
		}
		w.want("CreateContainerConfigError")
		w.wantSaid("Failed", "Error: "+c.want)
	}
}
