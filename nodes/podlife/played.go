package podlife

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"tripod/nodes/podcmd"
)

// played does a command that package podcmd knows: how long it takes, how it ends and what it prints. What is in files
// is not known here; it counts for what is printed alone.
func (s *shell) played(words []string) {
	command, err := podcmd.Parse(words)
	if err != nil {
		s.unreadable = true
		return
	}
	began, unknown := time.Unix(0, 0), false
	var env []string
	for name, value := range s.vars {
		env = append(env, name+"="+value)
	}
	got, err := command.Play(podcmd.Scene{
		Start: began.Add(s.at), Until: began.Add(endless), Env: env,
		File: func(file string, _ time.Time) (podcmd.File, bool) {
			there, known := s.isThere(file)
			unknown = unknown || !known
			return podcmd.File{}, there
		},
	})
	if err != nil || unknown {
		s.unreadable = true
		return
	}
	for _, line := range got.Lines {
		s.at = line.At.Sub(began)
		s.print(line.Text+"\n", "", false)
	}
	if s.serving = !got.Ended; s.serving {
		s.forever = true
		return
	}
	s.at, s.status = got.At.Sub(began), int32(got.ExitCode)
}

// made says whether the kubelet makes a file, or a directory, in one of the pod's volumes. known is false for volumes that
// are not of its making, and where nobody knows now what they are made of.
func (l *life) made(v *corev1.Volume, file string) (there, known bool) {
	var sources []corev1.VolumeProjection
	switch {
	case v.ConfigMap != nil:
		sources = []corev1.VolumeProjection{{ConfigMap: &corev1.ConfigMapProjection{
			LocalObjectReference: v.ConfigMap.LocalObjectReference, Items: v.ConfigMap.Items}}}
	case v.Secret != nil:
		sources = []corev1.VolumeProjection{{Secret: &corev1.SecretProjection{
			LocalObjectReference: corev1.LocalObjectReference{Name: v.Secret.SecretName}, Items: v.Secret.Items}}}
	case v.DownwardAPI != nil:
		sources = []corev1.VolumeProjection{{DownwardAPI: &corev1.DownwardAPIProjection{Items: v.DownwardAPI.Items}}}
	case v.Projected != nil:
		sources = v.Projected.Sources
	default:
		return false, false
	}
	known = true
	for i := range sources {
		paths, sure := l.paths(&sources[i])
		known = known && sure
		for _, path := range paths {
			if path == file || strings.HasPrefix(path, file+"/") {
				return true, true
			}
		}
	}
	return file == "", known
}

// paths are where a source of a volume puts its files.
func (l *life) paths(s *corev1.VolumeProjection) (paths []string, known bool) {
	switch {
	case s.ConfigMap != nil:
		return l.keys(ConfigMap, s.ConfigMap.Name, s.ConfigMap.Items)
	case s.Secret != nil:
		return l.keys(Secret, s.Secret.Name, s.Secret.Items)
	case s.DownwardAPI != nil:
		for _, item := range s.DownwardAPI.Items {
			paths = append(paths, item.Path)
		}
	case s.ServiceAccountToken != nil:
		paths = []string{s.ServiceAccountToken.Path}
	case s.ClusterTrustBundle != nil:
		paths = []string{s.ClusterTrustBundle.Path}
	case s.PodCertificate != nil:
		paths = []string{s.PodCertificate.CredentialBundlePath, s.PodCertificate.KeyPath, s.PodCertificate.CertificateChainPath}
	}
	return paths, true
}

// keys are where the keys of an object go, as far as it has them.
func (l *life) keys(kind Kind, name string, items []corev1.KeyToPath) (paths []string, known bool) {
	if l.Lookup == nil {
		return nil, false
	}
	got, err := l.Lookup(Reference{kind, l.pod.Namespace, name})
	if err != nil {
		return nil, errors.Is(err, ErrNotFound)
	}
	for _, item := range items {
		if got.Keys[item.Key] {
			paths = append(paths, item.Path)
		}
	}
	if len(items) == 0 {
		paths = slices.Collect(maps.Keys(got.Keys))
	}
	return paths, true
}

// unheard is why a probe reaches nobody: a server that is known to listen on some ports is asked at another; or "".
func (l *life) unheard(spec *corev1.Probe, c *corev1.Container, listens []int) string {
	host, port := l.st.PodIP, 0
	switch {
	case spec.HTTPGet != nil && spec.HTTPGet.Host == "":
		port = portOf(spec.HTTPGet.Port, c)
	case spec.TCPSocket != nil && spec.TCPSocket.Host == "":
		port = portOf(spec.TCPSocket.Port, c)
	case spec.GRPC != nil:
		port = int(spec.GRPC.Port)
	}
	if port == 0 || listens == nil || slices.Contains(listens, port) {
		return ""
	}
	address := fmt.Sprintf("%s:%d", host, port)
	refused := "dial tcp " + address + ": connect: connection refused"
	switch {
	case spec.GRPC != nil:
		return fmt.Sprintf("timeout: failed to connect service %q within %ds: context deadline exceeded", address, max(1, spec.TimeoutSeconds))
	case spec.HTTPGet != nil:
		scheme := strings.ToLower(string(spec.HTTPGet.Scheme))
		if scheme == "" {
			scheme = "http"
		}
		return fmt.Sprintf("Get %q: %s", scheme+"://"+address+"/"+strings.TrimPrefix(spec.HTTPGet.Path, "/"), refused)
	}
	return refused
}

// healthAnswer is what a server that says for how long it is well answers to a probe by HTTP or gRPC.
func (l *life) healthAnswer(h podcmd.Health, spec *corev1.Probe, at time.Duration) (ok bool, output string, settled bool) {
	switch {
	case spec.HTTPGet != nil && (h.GRPCPort > 0 || spec.HTTPGet.Path != "/healthz"), at <= h.For:
		return true, "", h.For >= endless
	case spec.GRPC != nil:
		return false, `service unhealthy (responded with "NOT_SERVING")`, false
	}
	return false, "HTTP probe failed with statuscode: 500", false
}
