package podlife

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// reads has a pod's container, of agnhost, read files of a volume with a ConfigMap's keys and a token.
func reads(args ...string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.RestartPolicy = corev1.RestartPolicyNever
		p.Spec.Volumes = []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
			Sources: []corev1.VolumeProjection{
				{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: corev1.LocalObjectReference{Name: "m"}}},
				{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "tokens/t"}},
			}}}}}
		c := &p.Spec.Containers[0]
		c.Image, c.VolumeMounts = "agnhost:2.66", []corev1.VolumeMount{{Name: "v", MountPath: "/v"}}
		if c.Args = args; strings.HasPrefix(args[0], "/") {
			c.Command, c.Args = args, nil
		}
	}
}

func TestAgnhostEndsAsItsSubcommandDoes(t *testing.T) {
	for _, c := range []struct {
		args  string
		shown string
		code  int32
		after time.Duration
	}{
		{"mounttest --file_content=/v/k --file_mode=/v/tokens", "Completed", 0, 0},
		{"mounttest --file_content=/v/..data/tokens/t", "Completed", 0, 0},
		{"mounttest --file_content=/v/x", "Error", 1, 0},
		{"mounttest --file_content=/etc/os-release", "Completed", 0, 0}, // nobody knows: it ends as a pod that is to end does
		{"mounttest --file_content_in_loop=/v/k --retry_time=6", "Completed", 0, 6 * time.Second},
		{"mounttest --file_content_in_loop=/v/x --retry_time=6", "Error", 1, 6 * time.Second},
		{"logs-generator -t 10 -d 20s", "Completed", 0, 20 * time.Second},
		{"entrypoint-tester", "Completed", 0, 0},
	} {
		w := newWorld(t, reads(strings.Fields(c.args)...))
		w.objects[Reference{ConfigMap, "default", "m"}] = Object{Keys: map[string]bool{"k": true}}
		w.objects[Reference{ServiceAccount, "default", "default"}] = Object{}
		w.look()
		if c.after > 0 {
			w.pass(c.after - time.Second)
			w.want("Running")
			w.pass(time.Second)
		}
		w.want(c.shown)
		if end := w.status("c").State.Terminated; end.ExitCode != c.code {
			t.Errorf("%s: exit code %d", c.args, end.ExitCode)
		}
	}
	w := newWorld(t, reads("netexec"))
	w.objects[Reference{ConfigMap, "default", "m"}], w.objects[Reference{ServiceAccount, "default", "default"}] = Object{}, Object{}
	w.look()
	w.pass(time.Hour)
	w.want("Running")
}

func TestAScriptThatReadsItsVolumeGoesOn(t *testing.T) {
	w := newWorld(t, reads("/bin/sh", "-c", "cat /v/k && sleep infinity"))
	w.objects[Reference{ConfigMap, "default", "m"}] = Object{Keys: map[string]bool{"k": true}}
	w.objects[Reference{ServiceAccount, "default", "default"}] = Object{}
	w.look()
	w.pass(time.Minute)
	w.want("Running")
}

func TestPodWaitsForItsCredentials(t *testing.T) {
	w := newWorld(t, func(p *corev1.Pod) {
		p.Spec.Volumes = []corev1.Volume{{Name: "tls", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
			Sources: []corev1.VolumeProjection{{PodCertificate: &corev1.PodCertificateProjection{SignerName: "a.b/c"}}}}}}}
	})
	issued := false
	w.facts.Lookup = func(r Reference) (Object, error) {
		if r != (Reference{Credentials, "default", "web/tls/0"}) {
			t.Errorf("asked for %+v", r)
		}
		if !issued {
			return Object{}, errors.New("credential bundle is not issued yet")
		}
		return Object{}, nil
	}
	w.look()
	w.want("ContainerCreating")
	w.wantSaid("FailedMount", `MountVolume.SetUp failed for volume "tls" : credential bundle is not issued yet`)
	issued = true
	w.pass(time.Second)
	w.want("Running")
}

func TestHTTPProbeFailsWhileThePageIsGone(t *testing.T) {
	w := newWorld(t, container(func(c *corev1.Container) {
		c.ReadinessProbe = &corev1.Probe{PeriodSeconds: 1, FailureThreshold: 1, SuccessThreshold: 1,
			ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/page"}}}
	}))
	gone := false
	w.facts.Gone = func(container, path string) bool { return gone && container == "c" && path == "/page" }
	w.look()
	if !w.ready() {
		t.Fatal("not ready at first")
	}
	gone = true
	w.look()
	w.wantSaid("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 404")
	if w.ready() {
		t.Error("ready without its page")
	}
	gone = false
	w.pass(time.Second)
	if !w.ready() {
		t.Error("not ready again")
	}
}

func TestAgnhostIsWellForAsLongAsItSays(t *testing.T) {
	healthz := corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/healthz", Port: intstr.FromInt32(80)}}
	alive := corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/healthz", Port: intstr.FromInt32(8080)}}
	grpc := func(port int32) corev1.ProbeHandler {
		return corev1.ProbeHandler{GRPC: &corev1.GRPCAction{Port: port}}
	}
	for _, c := range []struct {
		args     string
		probe    corev1.ProbeHandler
		restarts int32
		said     string
	}{
		{"liveness", alive, 1, "HTTP probe failed with statuscode: 500"},
		{"liveness", corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/started", Port: intstr.FromInt32(8080)}}, 0, ""},
		{"netexec --http-port=80", healthz, 0, ""},
		{"netexec", healthz, 1, `Get "http://10.0.1.5:80/healthz": dial tcp 10.0.1.5:80: connect: connection refused`},
		{"grpc-health-checking", grpc(5000), 0, ""},
		{"grpc-health-checking --delay-unhealthy-sec=10", grpc(5000), 1, `service unhealthy (responded with "NOT_SERVING")`},
		{"grpc-health-checking", grpc(2333), 1, `timeout: failed to connect service "10.0.1.5:2333" within 5s: context deadline exceeded`},
	} {
		w := newWorld(t, container(func(k *corev1.Container) {
			k.Image, k.Args = "agnhost:2.66", strings.Fields(c.args)
			k.LivenessProbe = &corev1.Probe{InitialDelaySeconds: 5, PeriodSeconds: 5, TimeoutSeconds: 5, FailureThreshold: 1, ProbeHandler: c.probe}
		}))
		w.look()
		w.pass(18 * time.Second)
		if got := w.status("c").RestartCount; (got > 0) != (c.restarts > 0) {
			t.Errorf("%s: %d restarts", c.args, got)
		}
		if c.said != "" {
			w.wantSaid("Unhealthy", "Liveness probe failed: "+c.said)
		}
	}
}

func TestHooksThatAreRequestsAreMade(t *testing.T) {
	for command, want := range map[string]string{
		"curl http://10.0.0.7:8080/echo?msg=x":  "10.0.0.7 8080 /echo?msg=x",
		"/usr/bin/wget -qO- http://localhost/q": " 80 /q",
		"curl -X POST http://10.0.0.7/":         "", "curl https://10.0.0.7/": "", "curl http://$HOST/": "", "nginx -s quit": "",
	} {
		got := ""
		if get := curled(strings.Fields(command)); get != nil {
			got = fmt.Sprint(get.Host, " ", get.Port.IntValue(), " ", get.Path)
		}
		if shell := curled([]string{"sh", "-c", command}); got != want || (shell == nil) != (want == "") {
			t.Errorf("%s: got %q, in a shell %+v", command, got, shell)
		}
	}
}

func TestPartsOfVolumesStayInThem(t *testing.T) {
	for value, want := range map[string]string{
		"logs": "", "/tmp": "error SubPath `/tmp` must not be an absolute path", "..": "unable to provision SubPath `..`: must not contain '..'",
	} {
		w := newWorld(t, func(p *corev1.Pod) {
			p.Spec.Volumes = []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
			p.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "PART", Value: value}}
			p.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "v", MountPath: "/v", SubPathExpr: "$(PART)"}}
		})
		w.look()
		if want == "" {
			w.want("Running")
			continue
		}
		w.want("CreateContainerConfigError")
		w.wantSaid("Failed", "Error: "+want)
	}
}
