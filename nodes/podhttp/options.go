package podhttp

import (
	"fmt"
	"math"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"tripod/nodes/network"
	"tripod/nodes/podcmd"
	"tripod/nodes/podset"
)

// Annotations on a pod that say how it answers. Each may have "." and a port behind it, and is for that port alone then
// and comes before the general one.
const (
	// LocalAddressAnnotation says where the pod's address leads on this machine, e.g. "127.0.0.1:9443": this is how an
	// admission webhook that runs on a laptop is reached. Which ports that may be Config.LocalPort says.
	LocalAddressAnnotation = "tripod.internal/local-address"
	// StatusAnnotation is the HTTP status of its answers: "503".
	StatusAnnotation = "tripod.internal/http-status"
	// LatencyAnnotation is how long an answer takes: "200ms", or "100ms-300ms" for anything between.
	LatencyAnnotation = "tripod.internal/http-latency"
	// FailAnnotation is how many requests fail, by chance: "10%" with status 500, "10% 503", or "10% reset" by a reset of
	// the connection.
	FailAnnotation = "tripod.internal/http-fail"
	// BodyAnnotation is the answer's body in place of the page.
	BodyAnnotation = "tripod.internal/http-body"
	// PortsAnnotation are ports on which the pod's first container listens without declaring them: "80,8080".
	PortsAnnotation = "tripod.internal/http-ports"
)

const mostLatency = time.Minute

// setting is an annotation's value for a port, and the annotation's name.
func setting(pod *corev1.Pod, annotation string, port int) (value, name string, ok bool) {
	name = annotation + "." + strconv.Itoa(port)
	if value, ok = pod.Annotations[name]; !ok {
		name = annotation
		value, ok = pod.Annotations[name]
	}
	return value, name, ok
}

// behaviour is how a port answers.
type behaviour struct {
	status      int
	least, most time.Duration // latency
	failing     float64       // share of requests
	failStatus  int           // 0 resets the connection
	body        *string
}

// behaviourOf reads a pod's annotations. An error says in one sentence which one is wrong.
func behaviourOf(pod *corev1.Pod, port int) (behaviour, error) {
	b := behaviour{status: 200, failStatus: 500}
	wrong := func(name, value, want string) (behaviour, error) {
		return behaviour{}, fmt.Errorf("pod %s/%s: annotation %s must be %s, not %q", pod.Namespace, pod.Name, name, want, value)
	}
	var ok bool
	if value, name, set := setting(pod, StatusAnnotation, port); set {
		if b.status, ok = status(value); !ok {
			return wrong(name, value, "an HTTP status from 200 to 599")
		}
	}
	if value, name, set := setting(pod, LatencyAnnotation, port); set {
		least, most, isRange := strings.Cut(value, "-")
		if !isRange {
			most = least
		}
		var err, errMost error
		b.least, err = time.ParseDuration(strings.TrimSpace(least))
		b.most, errMost = time.ParseDuration(strings.TrimSpace(most))
		if err != nil || errMost != nil || b.least < 0 || b.most < b.least || b.most > mostLatency {
			return wrong(name, value, "a duration of at most 1m like 200ms, or two like 100ms-300ms")
		}
	}
	if value, name, set := setting(pod, FailAnnotation, port); set {
		share, how, _ := strings.Cut(strings.TrimSpace(value), " ")
		percent, err := strconv.ParseFloat(strings.TrimSuffix(share, "%"), 64)
		if how = strings.TrimSpace(how); how == "reset" {
			b.failStatus, ok = 0, true
		} else if ok = true; how != "" {
			b.failStatus, ok = status(how)
		}
		if err != nil || !ok || percent < 0 || percent > 100 || math.IsNaN(percent) {
			return wrong(name, value, `a percentage like "10%", with a status or "reset" behind it or not`)
		}
		b.failing = percent / 100
	}
	if value, _, set := setting(pod, BodyAnnotation, port); set {
		b.body = &value
	}
	return b, nil
}

func status(value string) (int, bool) {
	n, err := strconv.Atoi(strings.TrimSpace(value))
	return n, err == nil && n >= 200 && n <= 599
}

// imagePorts are those that well-known web servers' images expose, whose pods often declare none.
var imagePorts = map[string][]int{
	"nginx": {80}, "httpd": {80}, "traefik/whoami": {80}, "caddy": {80, 443}, "nginxdemos/hello": {80},
	"bitnami/nginx": {8080}, "nginxinc/nginx-unprivileged": {8080}, "hashicorp/http-echo": {5678},
	"stefanprodan/podinfo": {9898}, "google-samples/hello-app": {8080}, "hpa-example": {80},
}

// Listener is the container that listens on a TCP port: one that declares it, by its ports or by a probe; the first one
// on ports of PortsAnnotation; or one that declares none and whose command or image is known to listen there.
func Listener(pod *corev1.Pod, port int) *corev1.Container {
	if c := podset.Listener(pod, port); c != nil {
		return c
	}
	for p := range strings.SplitSeq(pod.Annotations[PortsAnnotation], ",") {
		if n, err := strconv.Atoi(strings.TrimSpace(p)); err == nil && n == port && len(pod.Spec.Containers) > 0 {
			return &pod.Spec.Containers[0]
		}
	}
	for i := range pod.Spec.Containers {
		c := &pod.Spec.Containers[i]
		if len(c.Ports) > 0 {
			continue
		}
		if listens := podcmd.Listens(podcmd.Argv(c.Image, c.Command, c.Args)); slices.Contains(listens, port) ||
			listens == nil && slices.Contains(imagePorts[imageName(c.Image)], port) {
			return c
		}
	}
	return nil
}

// imageName is a reference without registry, tag and digest: nginx, traefik/whoami.
func imageName(image string) string {
	image, _, _ = strings.Cut(image, "@")
	if colon := strings.LastIndexByte(image, ':'); colon > strings.LastIndexByte(image, '/') {
		image = image[:colon]
	}
	if registry, rest, ok := strings.Cut(image, "/"); ok && strings.ContainsAny(registry, ".:") {
		image = rest
	}
	image = strings.TrimPrefix(strings.TrimPrefix(image, "docker/"), "library/")
	if image == "nginx/nginx" { // of public.ecr.aws
		return "nginx"
	}
	return image
}

// servesHostname says that a container answers every request with its hostname: agnhost serve-hostname of
// k8s.io/kubernetes/test/images.
func servesHostname(c *corev1.Container) bool {
	words := slices.Concat(c.Command, c.Args)
	if len(c.Command) == 0 {
		words = slices.Concat([]string{imageName(c.Image)}, words)
	}
	return len(words) > 1 && path.Base(words[0]) == "agnhost" && words[1] == "serve-hostname"
}

// listening says why nothing listens on a pod's port, and nil where its container does.
func listening(pod *corev1.Pod, port int) (*corev1.Container, error) {
	name := pod.Namespace + "/" + pod.Name
	c := Listener(pod, port)
	if c == nil {
		var declared []string
		for i := range pod.Spec.Containers {
			for _, p := range podset.Ports(&pod.Spec.Containers[i]) {
				declared = append(declared, strconv.Itoa(p))
			}
		}
		if len(declared) == 0 {
			return nil, network.Refused("connection refused: pod %s declares no TCP port (containerPort, or annotation %s)", name,
				PortsAnnotation)
		}
		return nil, network.Refused("connection refused: pod %s listens on %s, not on %d", name, strings.Join(declared, ", "), port)
	}
	s := podset.Status(pod, c.Name)
	switch {
	case s == nil || s.State.Running == nil:
		return nil, network.Refused("connection refused: container %s of pod %s is not running", c.Name, name)
	case !s.Ready:
		return nil, network.Refused("connection refused: container %s of pod %s is not ready", c.Name, name)
	}
	return c, nil
}

// HasLocalAddress says whether an annotation leads a pod's port to this machine.
func HasLocalAddress(pod *corev1.Pod, port int) bool {
	_, _, ok := setting(pod, LocalAddressAnnotation, port)
	return ok
}

// LocalAddress is what the pod's annotation says of a port; only loopback addresses are accepted, since whoever may
// create pods would otherwise reach into the user's networks, and of those only the ports that the operator allows:
// other errors are network.ErrNotAllowed.
func LocalAddress(pod *corev1.Pod, port int, allowed func(port int) error) (string, error) {
	value, annotation, ok := setting(pod, LocalAddressAnnotation, port)
	if !ok {
		return "", fmt.Errorf("pod %s/%s has no annotation %s", pod.Namespace, pod.Name, LocalAddressAnnotation)
	}
	address, err := netip.ParseAddrPort(strings.Replace(value, "localhost:", "127.0.0.1:", 1))
	if err != nil || !address.Addr().IsLoopback() || address.Port() == 0 {
		return "", fmt.Errorf("pod %s/%s: annotation %s must be a loopback address with a port like 127.0.0.1:9443, not %q",
			pod.Namespace, pod.Name, annotation, value)
	}
	if err := allowed(int(address.Port())); err != nil {
		return "", notAllowed{fmt.Errorf("pod %s/%s: annotation %s: %w", pod.Namespace, pod.Name, annotation, err)}
	}
	return address.String(), nil
}

// notAllowed is an error that is network.ErrNotAllowed besides.
type notAllowed struct{ error }

func (n notAllowed) Unwrap() []error { return []error{n.error, network.ErrNotAllowed} }
