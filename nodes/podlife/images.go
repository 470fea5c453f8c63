package podlife

import (
	"fmt"
	"path"
	"regexp"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"tripod/nodes/machine"
)

// badImages are patterns (see Matches) of images that say of themselves that they cannot be pulled.
var badImages = []string{
	"*:does-not-exist", "*:doesnotexist", "*:nonexistent", "*:non-existent", "*:missing", "*:no-such-tag", "*:notfound", "*:404",
	"*/does-not-exist", "*/doesnotexist", "*/nonexistent", "*/no-such-image", "*/does-not-exist:*", "*/doesnotexist:*",
	"*/nonexistent:*", "*/no-such-image:*", "invalid.*/**", "*.invalid/**", "**/invalid-image*",
}

// How a kubelet backs off from images: 10 s, doubled up to 5 min (imageBackOffPeriod, MaxImageBackOff).
const (
	firstBackoff = 10 * time.Second
	lastBackoff  = 5 * time.Minute
	// pullErrorShown is how long ErrImagePull stands before ImagePullBackOff: a kubelet's next look at the pod.
	pullErrorShown = time.Second
)

// imageForm is what distribution/reference takes for an image: [HOST[:PORT]/]PATH[:TAG][@DIGEST].
var imageForm = regexp.MustCompile(`^(?:(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)` +
	`(?:\.(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?))*(?::[0-9]+)?/)?` +
	`[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*` +
	`(?::[\w][\w.-]{0,127})?(?:@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?$`)

// Normalize writes an image as containerd does: with registry, repository and tag.
func Normalize(image string) string {
	name, digest, hasDigest := strings.Cut(image, "@")
	host, rest, has := strings.Cut(name, "/")
	if !has || !strings.ContainsAny(host, ".:") && host != "localhost" && strings.ToLower(host) == host {
		host, rest = "docker.io", name
		if !has {
			rest = "library/" + name
		}
	}
	if hasDigest {
		if colon := strings.LastIndexByte(rest, ':'); colon > strings.LastIndexByte(rest, '/') {
			rest = rest[:colon]
		}
		return host + "/" + rest + "@" + digest
	}
	if strings.LastIndexByte(rest, ':') <= strings.LastIndexByte(rest, '/') {
		rest += ":latest"
	}
	return host + "/" + rest
}

// repository is a normalized image without tag and digest.
func repository(normal string) string {
	name, _, _ := strings.Cut(normal, "@")
	if colon := strings.LastIndexByte(name, ':'); colon > strings.LastIndexByte(name, '/') {
		name = name[:colon]
	}
	return name
}

// ImageID is the reference by digest of an image, made up but for images that are named by digest: equal for equal
// images.
func ImageID(image string) string {
	normal := Normalize(image)
	if strings.Contains(normal, "@") {
		return normal
	}
	return repository(normal) + "@sha256:" + hex64(normal)
}

// ImageSize is made up, between 2 and 130 MB, and the same for the same image.
func ImageSize(image string) int64 {
	return 2_000_000 + int64(machine.Hash(Normalize(image))%128_000_000)
}

// ContainerID of one run of a container.
func ContainerID(uid, container string, restarts int32) string {
	return "containerd://" + hex64(fmt.Sprintf("%s/%s/%d", uid, container, restarts))
}

// hex64 are 64 hexadecimal digits that depend on s alone.
func hex64(s string) string {
	var b strings.Builder
	for i := range 4 {
		fmt.Fprintf(&b, "%016x", machine.Hash(fmt.Sprintf("%d/%s", i, s)))
	}
	return b.String()
}

// Matches says whether an image, as a pod names it or as Normalize writes it, fits a pattern: * stands for anything but
// a slash, ** for anything.
func Matches(pattern, image string) bool {
	if strings.Contains(pattern, "**") {
		before, after, _ := strings.Cut(pattern, "**")
		for _, name := range []string{image, Normalize(image)} {
			for i := range len(name) + 1 {
				ok, _ := path.Match(before, name[:i])
				if !ok {
					continue
				}
				for j := i; j <= len(name); j++ {
					if ok, _ := path.Match(after, name[j:]); ok {
						return true
					}
				}
			}
		}
		return false
	}
	for _, name := range []string{image, Normalize(image), repositoryEnd(image)} {
		if ok, _ := path.Match(pattern, name); ok {
			return true
		}
	}
	return false
}

// repositoryEnd is an image's last two parts, so that patterns need not say how deep a repository is.
func repositoryEnd(image string) string {
	parts := strings.Split(Normalize(image), "/")
	return strings.Join(parts[max(0, len(parts)-2):], "/")
}

// pullable says why an image cannot be pulled: containerd's error, or "".
func (l *life) pullable(c *corev1.Container) string {
	normal := Normalize(c.Image)
	bad := annotation(l.pod, AnnotationImage, c.Name) == "missing"
	if _, there := fault(l.pod, FaultImagePull, c.Name); there {
		bad = true
	}
	for _, pattern := range badImages {
		bad = bad || Matches(pattern, c.Image)
	}
	if !bad {
		return ""
	}
	host, _, _ := strings.Cut(normal, "/")
	if strings.HasSuffix(host, ".invalid") || strings.HasPrefix(host, "invalid.") {
		return fmt.Sprintf("failed to pull and unpack image %q: failed to resolve reference %q: failed to do request: "+
			"Head \"https://%s\": dial tcp: lookup %s on 10.0.0.2:53: no such host", normal, normal, manifest(normal), host)
	}
	return fmt.Sprintf("rpc error: code = NotFound desc = failed to pull and unpack image %q: failed to resolve reference "+
		"%q: %s: not found", normal, normal, normal)
}

// manifest is where a registry has an image's manifest.
func manifest(normal string) string {
	host, rest, _ := strings.Cut(repository(normal), "/")
	tag := strings.TrimLeft(strings.TrimPrefix(normal, repository(normal)), ":@")
	return host + "/v2/" + rest + "/manifests/" + tag
}

// outcome of the attempt to have an image.
type outcome int

const (
	have    outcome = iota // the image is there
	waiting                // it is being pulled
	failed                 // it is not there
)

// image brings a container's image onto the node. reason and message are for the container's waiting state.
func (l *life) image(c *corev1.Container, m *containerMemory, field string) (o outcome, reason, message string) {
	if !imageForm.MatchString(c.Image) {
		text := fmt.Sprintf("Failed to apply default image tag %q: couldn't parse image name %q: invalid reference format",
			c.Image, c.Image)
		l.retryNotice(&m.config, func() {
			l.warn("InspectFailed", text, field)
			l.warn("Failed", "Error: InvalidImageName", field)
		})
		return failed, "InvalidImageName", text
	}
	normal := Normalize(c.Image)
	said := annotation(l.pod, AnnotationImage, c.Name)
	present := said == "present" || said != "missing" && l.Present != nil && l.Present(normal)
	if _, there := fault(l.pod, FaultImagePull, c.Name); there {
		present = false
	}
	policy := c.ImagePullPolicy
	if present && (policy == corev1.PullIfNotPresent || policy == corev1.PullNever || policy == "") {
		l.normal("Pulled", fmt.Sprintf("Container image %q already present on machine%s", c.Image, l.accessible()), field)
		return have, "", ""
	}
	if policy == corev1.PullNever {
		text := fmt.Sprintf("Container image %q is not present with pull policy of Never", c.Image)
		l.retryNotice(&m.config, func() {
			l.warn("ErrImageNeverPull", text, field)
			l.warn("Failed", "Error: ErrImageNeverPull", field)
		})
		return failed, "ErrImageNeverPull", text
	}
	return l.pull(c, m, field, normal, present)
}

// accessible is what kubelets of 1.35 and later add (feature KubeletEnsureSecretPulledImages).
func (l *life) accessible() string {
	if l.minor() >= 35 {
		return " and can be accessed by the pod"
	}
	return ""
}

// pull pulls an image, or waits for the next attempt.
func (l *life) pull(c *corev1.Container, m *containerMemory, field, normal string, present bool) (outcome, string, string) {
	why := l.pullable(c)
	if why != "" && !m.pulls.next.IsZero() && l.Now.Before(m.pulls.next) {
		return l.backOff(c, m, field, why)
	}
	if m.until.IsZero() {
		l.normal("Pulling", fmt.Sprintf("Pulling image %q", c.Image), field)
		m.until = l.Now.Add(l.Settings.Pull)
		if present { // pulled always: only its manifest is asked for
			m.until = l.Now
		}
	}
	if l.Now.Before(m.until) {
		l.wake(m.until)
		return waiting, "", ""
	}
	took := max(l.Settings.Pull, time.Duration(120+machine.Hash(normal)%700)*time.Millisecond)
	m.until = time.Time{}
	if why == "" {
		m.pulls = retry{}
		l.normal("Pulled", fmt.Sprintf("Successfully pulled image %q in %v (%v including waiting). Image size: %d bytes.",
			c.Image, took, took, ImageSize(c.Image)), field)
		l.out.Pulled = append(l.out.Pulled, normal)
		return have, "", ""
	}
	l.warn("Failed", fmt.Sprintf("Failed to pull image %q: %s", c.Image, why), field)
	l.warn("Failed", "Error: ErrImagePull", field)
	m.pulls.fail(l.Now, firstBackoff, lastBackoff)
	m.pulls.since = l.Now
	l.wake(l.Now.Add(pullErrorShown))
	return failed, "ErrImagePull", why
}

// backOff waits for the next attempt to pull an image.
func (l *life) backOff(c *corev1.Container, m *containerMemory, field, why string) (outcome, string, string) {
	if shown := m.pulls.since.Add(pullErrorShown); l.Now.Before(shown) {
		l.wake(shown)
		return failed, "ErrImagePull", why
	}
	text := fmt.Sprintf("Back-off pulling image %q", c.Image)
	if m.backedOff != int32(m.pulls.failed) {
		m.backedOff = int32(m.pulls.failed)
		l.normal("BackOff", text, field)
		l.warn("Failed", "Error: ImagePullBackOff", field)
	}
	l.wake(m.pulls.next)
	return failed, "ImagePullBackOff", text + ": ErrImagePull: " + why
}

// retryNotice tells of a failure once per attempt, which a kubelet makes every 10 s or so.
func (l *life) retryNotice(r *retry, tell func()) {
	if r.failed == 0 || !l.Now.Before(r.next) {
		tell()
		r.fail(l.Now, resync, resync)
	}
	l.wake(r.next)
}

// resync is after how long a kubelet looks again at a pod whose containers it could not start.
const resync = 10 * time.Second
