package fargate

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
	reviewv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"tripod/internal/admission"
	"tripod/nodes/object"
)

// selectors is a profile with one selector.
func selectors(name, namespace string, labels ...string) object.FargateProfile {
	s := object.FargateSelector{Namespace: namespace, Labels: map[string]string{}}
	for i := 0; i < len(labels); i += 2 {
		s.Labels[labels[i]] = labels[i+1]
	}
	return object.FargateProfile{Name: name, Selectors: []object.FargateSelector{s}}
}

func TestAPodFallsToTheFirstProfileThatMatches(t *testing.T) {
	yes := true
	profiles := []object.FargateProfile{
		selectors("a", "web", "tier", "front", "env", "prod"), selectors("b", "web"), selectors("c", "batch-*", "job", "j?b*"),
		selectors("d", "team-?", "app.*/n*", "*"),
	}
	for _, c := range []struct {
		name, namespace string
		labels          map[string]string
		change          func(*corev1.Pod)
		want            string
	}{
		{name: "all labels", namespace: "web", labels: map[string]string{"tier": "front", "env": "prod", "x": "y"}, want: "a"},
		{name: "not all labels", namespace: "web", labels: map[string]string{"tier": "front"}, want: "b"},
		{name: "no labels", namespace: "web", want: "b"},
		{name: "another namespace", namespace: "webs"},
		{name: "wildcards", namespace: "batch-nightly", labels: map[string]string{"job": "job"}, want: "c"},
		{name: "a ? is one character", namespace: "batch-", labels: map[string]string{"job": "jb"}},
		{name: "wildcards of a key", namespace: "team-x", labels: map[string]string{"app.example.com/name": ""}, want: "d"},
		{name: "its label chooses", namespace: "web", labels: map[string]string{"tier": "front", "env": "prod", ProfileLabel: "b"},
			want: "b"},
		{name: "its label names one that does not match", namespace: "web", labels: map[string]string{ProfileLabel: "c"}},
		{name: "the usual scheduler", namespace: "web", change: func(p *corev1.Pod) { p.Spec.SchedulerName = "default-scheduler" },
			want: "b"},
		{name: "a scheduler of its own", namespace: "web", change: func(p *corev1.Pod) { p.Spec.SchedulerName = "volcano" }},
		{name: "it was handed over before", namespace: "web", change: func(p *corev1.Pod) { p.Spec.SchedulerName = SchedulerName }},
		{name: "a node", namespace: "web", change: func(p *corev1.Pod) { p.Spec.NodeName = "n" }},
		{name: "a selector of nodes", namespace: "web", change: func(p *corev1.Pod) {
			p.Spec.NodeSelector = map[string]string{"a": "b"}
		}},
		{name: "a DaemonSet's", namespace: "web", change: func(p *corev1.Pod) {
			p.OwnerReferences = []metav1.OwnerReference{{Kind: "DaemonSet", Controller: &yes}}
		}},
		{name: "a ReplicaSet's", namespace: "web", change: func(p *corev1.Pod) {
			p.OwnerReferences = []metav1.OwnerReference{{Kind: "ReplicaSet", Controller: &yes}}
		}, want: "b"},
		{name: "coredns of EC2", namespace: "web", change: func(p *corev1.Pod) {
			p.Annotations = map[string]string{ComputeType: "ec2"}
		}},
		{name: "coredns of Fargate", namespace: "web", change: func(p *corev1.Pod) {
			p.Annotations = map[string]string{ComputeType: "fargate"}
		}, want: "b"},
	} {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Labels: c.labels}}
		if c.change != nil {
			c.change(pod)
		}
		if got := ProfileOf(pod, c.namespace, profiles); got != c.want {
			t.Errorf("%s: profile %q, want %q", c.name, got, c.want)
		}
	}
}

func TestWildcardsMeanAnyTextAndOneCharacter(t *testing.T) {
	for pattern, texts := range map[string]map[string]bool{
		"":       {"": true, "a": false},
		"*":      {"": true, "abc": true},
		"a*c":    {"ac": true, "abc": true, "abcc": true, "abcd": false},
		"*b*d":   {"abcd": true, "bd": true, "bdbdx": false, "bdbd": true},
		"?":      {"": false, "a": true, "ab": false},
		"a?*":    {"a": false, "ab": true, "abc": true},
		"**a**":  {"a": true, "b": false},
		"exact":  {"exact": true, "exactly": false},
		"[a-z]*": {"a": false, "[a-z]x": true},
	} {
		for text, want := range texts {
			if wild(pattern, text) != want {
				t.Errorf("%q and %q: want %v", pattern, text, want)
			}
		}
	}
}

// asking is a container with these requests.
func asking(cpu, memory, disk string) corev1.Container {
	list := corev1.ResourceList{}
	for name, text := range map[corev1.ResourceName]string{corev1.ResourceCPU: cpu, corev1.ResourceMemory: memory,
		corev1.ResourceEphemeralStorage: disk} {
		if text != "" {
			list[name] = resource.MustParse(text)
		}
	}
	return corev1.Container{Resources: corev1.ResourceRequirements{Requests: list}}
}

func TestSizesAreFargatesCombinations(t *testing.T) {
	for _, c := range []struct {
		name             string
		init, containers []corev1.Container
		want             string
		disk             int
	}{
		{"nothing", nil, []corev1.Container{asking("", "", "")}, "0.25vCPU 0.5GB", 20},
		{"just fits", nil, []corev1.Container{asking("250m", "256Mi", "")}, "0.25vCPU 0.5GB", 20},
		{"a little more memory", nil, []corev1.Container{asking("250m", "257Mi", "")}, "0.25vCPU 1GB", 20},
		{"no 1.5 GB", nil, []corev1.Container{asking("250m", "1Gi", "")}, "0.25vCPU 2GB", 20},
		{"too much memory for so little CPU", nil, []corev1.Container{asking("250m", "1800Mi", "")}, "0.5vCPU 3GB", 20},
		{"a little more CPU", nil, []corev1.Container{asking("260m", "", "")}, "0.5vCPU 1GB", 20},
		{"the guide's example", nil, []corev1.Container{asking("1", "8Gi", "")}, "2vCPU 9GB", 20},
		{"containers add up", nil, []corev1.Container{asking("300m", "1Gi", ""), asking("300m", "1Gi", "")}, "1vCPU 3GB", 20},
		{"the largest init container", []corev1.Container{asking("2", "1Gi", ""), asking("100m", "5Gi", "")},
			[]corev1.Container{asking("100m", "", "")}, "2vCPU 6GB", 20},
		{"steps of 4 GB", nil, []corev1.Container{asking("5", "17Gi", "")}, "8vCPU 20GB", 20},
		{"the largest", nil, []corev1.Container{asking("16", "119Gi", "")}, "16vCPU 120GB", 20},
		{"disk", nil, []corev1.Container{asking("", "", "30Gi"), asking("", "", "500Mi")}, "0.25vCPU 0.5GB", 31},
		{"too much CPU", nil, []corev1.Container{asking("17", "", "")}, "", 0},
		{"too much memory", nil, []corev1.Container{asking("1", "120Gi", "")}, "", 0},
		{"too much disk", nil, []corev1.Container{asking("", "", "176Gi")}, "", 0},
	} {
		pod := &corev1.Pod{Spec: corev1.PodSpec{InitContainers: c.init, Containers: c.containers}}
		got, fits := SizeOf(pod)
		if fits != (c.want != "") || fits && (got.String() != c.want || got.DiskGiB != c.disk) {
			t.Errorf("%s: got %v with a disk of %d GiB (%v), want %s", c.name, got, got.DiskGiB, fits, c.want)
		}
	}
}

func TestRefusalsAreFargatesOwn(t *testing.T) {
	yes := true
	claims := func(_, name string) (*corev1.PersistentVolumeClaim, *corev1.PersistentVolume, error) {
		claim := &corev1.PersistentVolumeClaim{}
		volume := &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: "pv"}}
		csi := func(driver string) { volume.Spec.CSI = &corev1.CSIPersistentVolumeSource{Driver: driver} }
		claim.Status.Phase = corev1.ClaimBound
		switch name {
		case "efs":
			csi("efs.csi.aws.com")
		case "ebs":
			csi("ebs.csi.aws.com")
		case "local":
		case "waits":
			claim.Status.Phase, volume = corev1.ClaimPending, nil
		default:
			return nil, nil, errors.New(`persistentvolumeclaim "` + name + `" not found`)
		}
		return claim, volume, nil
	}
	claim := func(volume, name string) corev1.Volume {
		return corev1.Volume{Name: volume, VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: name}}}
	}
	for want, spec := range map[string]corev1.PodSpec{
		"": {Containers: []corev1.Container{{Ports: []corev1.ContainerPort{{ContainerPort: 80}},
			SecurityContext: &corev1.SecurityContext{Capabilities: &corev1.Capabilities{
				Add: []corev1.Capability{"NET_BIND_SERVICE"}, Drop: []corev1.Capability{"ALL"}}}}},
			Volumes: []corev1.Volume{claim("data", "efs"), {Name: "x", VolumeSource: corev1.VolumeSource{
				EmptyDir: &corev1.EmptyDirVolumeSource{}}}}},
		"Pod not supported on Fargate: fields not supported: HostNetwork, HostPID, HostIPC": {HostNetwork: true, HostPID: true,
			HostIPC: true},
		"Pod not supported on Fargate: invalid SecurityContext fields: Privileged,Privileged": {
			InitContainers: []corev1.Container{{SecurityContext: &corev1.SecurityContext{Privileged: &yes}}},
			Containers:     []corev1.Container{{SecurityContext: &corev1.SecurityContext{Privileged: &yes}}}},
		"Pod not supported on Fargate: invalid SecurityContext fields: Capabilities added: NET_ADMIN, AllowPrivilegeEscalation": {
			Containers: []corev1.Container{{SecurityContext: &corev1.SecurityContext{AllowPrivilegeEscalation: &yes,
				Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"NET_ADMIN", "KILL"}}}}}},
		"Pod not supported on Fargate: fields not supported: HostNetwork, invalid SecurityContext fields: Privileged, " +
			"port contains HostIP or HostPort": {HostNetwork: true, Containers: []corev1.Container{{
			SecurityContext: &corev1.SecurityContext{Privileged: &yes}, Ports: []corev1.ContainerPort{{HostPort: 80}}}}},
		"Pod not supported on Fargate: volumes not supported: docker is of an unsupported volume Type, a not supported because: " +
			"PVC waits not bound, b not supported because: PVC ebs bound to invalid PV pv with CSI Driver: ebs.csi.aws.com, " +
			"c not supported because: PVC local bound to invalid PV pv with nil CSI spec, d not supported because: " +
			`persistentvolumeclaim "none" not found`: {Volumes: []corev1.Volume{
			{Name: "docker", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}},
			claim("a", "waits"), claim("b", "ebs"), claim("c", "local"), claim("d", "none")}},
		"Pod not supported on Fargate: volumeDevices not supported": {Containers: []corev1.Container{{
			VolumeDevices: []corev1.VolumeDevice{{Name: "d"}}}}},
		"Your pod's cpu/memory requirements exceed the max Fargate configuration": {Containers: []corev1.Container{
			asking("20", "", "")}},
	} {
		if got := Refusal(&corev1.Pod{Spec: spec}, claims); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestAdmissionHandsPodsOfProfilesToFargate(t *testing.T) {
	a := &Admission{Logger: slog.New(slog.DiscardHandler), Profiles: func() []object.FargateProfile {
		return []object.FargateProfile{selectors("f", "web")}
	}}
	for _, c := range []struct {
		namespace string
		labels    map[string]string
		label     admission.Operation
	}{
		{"web", nil, admission.Operation{Path: "/metadata/labels", Value: map[string]any{ProfileLabel: "f"}}},
		{"web", map[string]string{"a": "b"}, admission.Operation{Path: "/metadata/labels/eks.amazonaws.com~1fargate-profile",
			Value: "f"}},
		{"db", nil, admission.Operation{}},
	} {
		raw, _ := json.Marshal(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Labels: c.labels}})
		body, _ := json.Marshal(reviewv1.AdmissionReview{Request: &reviewv1.AdmissionRequest{UID: "u", Namespace: c.namespace,
			Object: runtime.RawExtension{Raw: raw}}})
		w := httptest.NewRecorder()
		a.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body)))
		var review reviewv1.AdmissionReview
		if err := json.Unmarshal(w.Body.Bytes(), &review); err != nil || !review.Response.Allowed || review.Response.UID != "u" {
			t.Fatalf("%s (%v)", w.Body, err)
		}
		var got []admission.Operation
		json.Unmarshal(review.Response.Patch, &got)
		var want []admission.Operation
		if c.label.Path != "" {
			want = []admission.Operation{c.label, {Path: "/spec/schedulerName", Value: "fargate-scheduler"},
				{Path: "/spec/priorityClassName", Value: "system-node-critical"}, {Path: "/spec/priority", Value: 2000001000.0}}
		}
		for i := range want {
			want[i].Op = "add"
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.namespace, diff)
		}
	}
}
