package podlife

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kubernetes/third_party/forked/golang/expansion"

	"tripod/nodes/podcmd"
)

// How a kubelet tries again: volumes after 500 ms, doubled up to 2 min 2 s (pkg/util/goroutinemap/exponentialbackoff),
// and it says that a pod waits for them after 2 min 3 s (podAttachAndMountTimeout).
const (
	firstMount   = 500 * time.Millisecond
	lastMount    = 122 * time.Second
	mountTimeout = 123 * time.Second
)

// mount says whether the pod's volumes are there. It tells of those that are not.
func (l *life) mount() bool {
	if l.st.PodIP != "" { // they were, when its containers were started first
		return true
	}
	var missing []string
	var refused *mountError
	unknown, waits := false, false
	due := l.mem.mount.failed == 0 || !l.Now.Before(l.mem.mount.next)
	for i := range l.pod.Spec.Volumes {
		v := &l.pod.Spec.Volumes[i]
		err := l.volume(v)
		switch {
		case err == nil:
			continue
		case errors.Is(err, ErrUnknown):
			unknown = true
			continue
		case errors.Is(err, errNotAttached): // why, the attach-detach controller tells
			waits = true
		case due && errors.As(err, &refused):
			l.warn("FailedMount", fmt.Sprintf("MountVolume.SetUp failed for volume %q : %v", refused.volume, refused.why), "")
		case due && v.PersistentVolumeClaim == nil && v.Ephemeral == nil:
			l.warn("FailedMount", fmt.Sprintf("MountVolume.SetUp failed for volume %q : %v", v.Name, err), "")
		case due:
			l.warn("FailedMount", fmt.Sprintf("Unable to attach or mount volumes: unmounted volumes=[%s], unattached volumes=[], "+
				"failed to process volumes=[%s]: error processing PVC %s/%s: %v", v.Name, v.Name, l.pod.Namespace, claimName(l.pod, v),
				err), "")
		}
		missing = append(missing, v.Name)
	}
	if len(missing) == 0 && !unknown {
		l.mem.mount = retry{}
		return true
	}
	if len(missing) == 0 {
		l.askAgain()
		return false
	}
	if waits {
		l.wake(l.Now.Add(l.attachPause()))
	}
	l.wake(l.Now.Add(lookAgain))
	if due {
		l.mem.mount.fail(l.Now, firstMount, lastMount)
	}
	l.wake(l.mem.mount.next)
	if timeout := l.mem.mount.since.Add(mountTimeout); !l.Now.Before(timeout) {
		slices.Sort(missing)
		l.warn("FailedMount", fmt.Sprintf("Unable to attach or mount volumes: unmounted volumes=%v, unattached volumes=[], "+
			"failed to process volumes=[]: context deadline exceeded", missing), "")
		l.mem.mount.since = l.Now
	}
	return false
}

// errNotAttached is why a volume cannot be mounted that is to be attached to the node yet.
var errNotAttached = errors.New("the volume is not attached yet")

// firstAttachPause is how soon it is asked again whether a volume is attached; who has waited long asks more seldom.
const firstAttachPause = 250 * time.Millisecond

func (l *life) attachPause() time.Duration {
	if l.mem.mount.failed == 0 {
		return firstAttachPause
	}
	return min(lookAgain, max(firstAttachPause, l.Now.Sub(l.mem.mount.since)/4))
}

// AttachmentName is the name of the VolumeAttachment of a volume to a node (pkg/volume/csi/csi_attacher.go).
func AttachmentName(handle, driver, node string) string {
	return fmt.Sprintf("csi-%x", sha256.Sum256([]byte(handle+driver+node)))
}

func claimName(pod *corev1.Pod, v *corev1.Volume) string {
	if v.Ephemeral != nil {
		return pod.Name + "-" + v.Name
	}
	return v.PersistentVolumeClaim.ClaimName
}

// volume is why a volume cannot be set up, or nil.
func (l *life) volume(v *corev1.Volume) error {
	switch {
	case v.ConfigMap != nil:
		return l.volumeOf(ConfigMap, v.ConfigMap.Name, v.ConfigMap.Items, v.ConfigMap.Optional)
	case v.Secret != nil:
		return l.volumeOf(Secret, v.Secret.SecretName, v.Secret.Items, v.Secret.Optional)
	case v.PersistentVolumeClaim != nil, v.Ephemeral != nil:
		name := claimName(l.pod, v)
		claim, err := l.ask(Reference{Claim, l.pod.Namespace, name})
		switch {
		case errors.Is(err, ErrNotFound):
			return fmt.Errorf("failed to fetch PVC from API server: persistentvolumeclaims %q not found", name)
		case err != nil:
			return err
		case !claim.Bound:
			return errors.New("PVC is not bound")
		case claim.Driver != "":
			return l.attached(claim)
		case claim.Mounts != "":
			return l.mounted(claim)
		}
	case v.Projected != nil:
		return l.projected(v)
	}
	return nil
}

// projected is why a projected volume cannot be set up, or nil. All of its sources are asked for at once: there may be
// hundreds.
func (l *life) projected(v *corev1.Volume) (why error) {
	for i := range v.Projected.Sources {
		s := &v.Projected.Sources[i]
		var err error
		switch {
		case s.ConfigMap != nil:
			err = l.volumeOf(ConfigMap, s.ConfigMap.Name, s.ConfigMap.Items, s.ConfigMap.Optional)
		case s.Secret != nil:
			err = l.volumeOf(Secret, s.Secret.Name, s.Secret.Items, s.Secret.Optional)
		case s.ServiceAccountToken != nil:
			err = l.account()
		case s.ClusterTrustBundle != nil:
			err = l.bundle(s.ClusterTrustBundle)
		case s.PodCertificate != nil:
			_, err = l.ask(Reference{Credentials, l.pod.Namespace, fmt.Sprintf("%s/%s/%d", l.pod.Name, v.Name, i)})
		}
		if err != nil && (why == nil || errors.Is(why, ErrUnknown)) {
			why = err
		}
	}
	return why
}

// attached asks whether a claim's volume is attached to the pod's node.
func (l *life) attached(claim Object) error {
	got, err := l.ask(Reference{Attachment, string(l.pod.UID), AttachmentName(claim.Handle, claim.Driver, l.pod.Spec.NodeName)})
	switch {
	case errors.Is(err, ErrNotFound), err == nil && !got.Attached:
		return errNotAttached
	}
	return err
}

// mountError is why a persistent volume could not be mounted.
type mountError struct {
	volume string
	why    error
}

func (e *mountError) Error() string { return e.why.Error() }

func (e *mountError) Unwrap() error { return e.why }

// mounted asks whether a claim's volume can be mounted for the pod.
func (l *life) mounted(claim Object) error {
	_, err := l.ask(Reference{Mount, string(l.pod.UID), claim.Mounts})
	if err == nil || errors.Is(err, ErrUnknown) {
		return err
	}
	volume, _, _ := strings.Cut(claim.Mounts, " ")
	return &mountError{volume, err}
}

// account asks whether the pod's service account can have a token.
func (l *life) account() error {
	name := l.pod.Spec.ServiceAccountName
	if name == "" {
		name = "default"
	}
	_, err := l.ask(Reference{ServiceAccount, l.pod.Namespace, name})
	if errors.Is(err, ErrNotFound) {
		return fmt.Errorf("failed to fetch token: serviceaccounts %q not found", name)
	}
	return err
}

// bundle asks whether there is what a volume's trust anchors are of (pkg/kubelet/clustertrustbundle).
func (l *life) bundle(p *corev1.ClusterTrustBundleProjection) error {
	ref := Reference{Kind: TrustBundle}
	why := errors.New("combination of signerName and labelSelector matched zero ClusterTrustBundles")
	if p.Name != nil {
		ref.Name = *p.Name
		why = fmt.Errorf("while getting ClusterTrustBundle: clustertrustbundle.certificates.k8s.io %q not found", *p.Name)
	} else if p.SignerName != nil {
		selector, err := metav1.LabelSelectorAsSelector(p.LabelSelector)
		if err != nil {
			return fmt.Errorf("while parsing label selector: %w", err)
		}
		ref.Kind, ref.Name = SignersBundles, *p.SignerName+"?"+selector.String()
	}
	var err error = ErrNotFound
	if ref.Kind != SignersBundles || p.LabelSelector != nil { // no selector selects nothing
		_, err = l.ask(ref)
	}
	switch optional := p.Optional != nil && *p.Optional; {
	case !errors.Is(err, ErrNotFound):
		return err
	case optional:
		return nil
	}
	return why
}

func (l *life) volumeOf(kind Kind, name string, items []corev1.KeyToPath, optional *bool) error {
	got, err := l.ask(Reference{kind, l.pod.Namespace, name})
	may := optional != nil && *optional
	switch {
	case errors.Is(err, ErrNotFound) && may:
		return nil
	case errors.Is(err, ErrNotFound):
		return fmt.Errorf("%s %q not found", kind, name)
	case err != nil:
		return err
	}
	for _, item := range items {
		if !got.Keys[item.Key] && !may {
			if kind == Secret {
				return fmt.Errorf("references non-existent secret key: %s", item.Key)
			}
			return fmt.Errorf("configmap references non-existent config key: %s", item.Key)
		}
	}
	return nil
}

// sandbox says whether the pod's sandbox is there: its runtime and its address.
func (l *life) sandbox() bool {
	if l.st.PodIP != "" {
		return true
	}
	if l.mem.sandbox.failed > 0 && l.Now.Before(l.mem.sandbox.next) {
		l.wake(l.mem.sandbox.next)
		return false
	}
	why, known := l.runtime()
	if !known {
		l.askAgain()
		return false
	}
	if why == "" {
		address := l.HostIP
		if !l.pod.Spec.HostNetwork && l.Address != nil {
			got, err := l.Address(l.pod)
			if errors.Is(err, ErrUnknown) {
				l.askAgain()
				return false
			}
			if err != nil { // as the VPC CNI words it
				why = fmt.Sprintf("rpc error: code = Unknown desc = failed to setup network for sandbox %q: plugin type=\"aws-cni\" "+
					"name=\"aws-cni\" failed (add): add cmd: failed to assign an IP address to container", hex64(string(l.pod.UID)))
			}
			address = got
		}
		if why == "" {
			l.st.PodIP, l.st.PodIPs = address, []corev1.PodIP{{IP: address}}
			l.mem.sandbox = retry{}
			return true
		}
	}
	l.warn("FailedCreatePodSandBox", "Failed to create pod sandbox: "+why, "")
	l.mem.sandbox.fail(l.Now, resync, resync)
	l.wake(l.mem.sandbox.next)
	return false
}

// runtime is why the node has no runtime for the pod, or "".
func (l *life) runtime() (why string, known bool) {
	class := l.pod.Spec.RuntimeClassName
	if class == nil || *class == "" {
		return "", true
	}
	got, err := l.ask(Reference{Kind: RuntimeClass, Name: *class})
	switch {
	case errors.Is(err, ErrNotFound):
		return fmt.Sprintf("runtimeclass.node.k8s.io %q not found", *class), true
	case err != nil:
		return "", false
	}
	handlers := l.Settings.RuntimeHandlers
	if handlers == nil {
		handlers = []string{"runc"}
	}
	if got.Handler != "" && !slices.Contains(handlers, got.Handler) {
		return fmt.Sprintf("rpc error: code = Unknown desc = failed to get sandbox runtime: no runtime for %q is configured",
			got.Handler), true
	}
	return "", true
}

// configure is why a container's configuration cannot be made, or "". known is false when somebody has to be asked first.
func (l *life) configure(c *corev1.Container) (why string, known bool) {
	known = true
	for _, from := range c.EnvFrom {
		kind, name, optional := ConfigMap, "", (*bool)(nil)
		switch {
		case from.ConfigMapRef != nil:
			name, optional = from.ConfigMapRef.Name, from.ConfigMapRef.Optional
		case from.SecretRef != nil:
			kind, name, optional = Secret, from.SecretRef.Name, from.SecretRef.Optional
		default:
			continue
		}
		if text, ok := l.variable(kind, name, "", optional); text != "" || !ok {
			return text, ok
		}
	}
	for _, env := range c.Env {
		if env.ValueFrom == nil {
			continue
		}
		if ref := env.ValueFrom.ConfigMapKeyRef; ref != nil {
			if text, ok := l.variable(ConfigMap, ref.Name, ref.Key, ref.Optional); text != "" || !ok {
				return text, ok
			}
		}
		if ref := env.ValueFrom.SecretKeyRef; ref != nil {
			if text, ok := l.variable(Secret, ref.Name, ref.Key, ref.Optional); text != "" || !ok {
				return text, ok
			}
		}
	}
	if why := l.subPath(c); why != "" {
		return why, true
	}
	return l.rootless(c), known
}

// subPath is why a part of a volume, of which a variable says which, cannot be mounted, or "".
func (l *life) subPath(c *corev1.Container) string {
	for _, mount := range c.VolumeMounts {
		if mount.SubPathExpr == "" {
			continue
		}
		path := expansion.Expand(mount.SubPathExpr, expansion.MappingFuncFor(l.variables(c)))
		switch {
		case strings.HasPrefix(path, "/"):
			return fmt.Sprintf("error SubPath `%s` must not be an absolute path", path)
		case slices.Contains(strings.Split(path, "/"), ".."):
			return fmt.Sprintf("unable to provision SubPath `%s`: must not contain '..'", path)
		}
	}
	return ""
}

// variable is why a variable cannot be had from an object, or from one of its keys.
func (l *life) variable(kind Kind, name, key string, optional *bool) (why string, known bool) {
	got, err := l.ask(Reference{kind, l.pod.Namespace, name})
	may := optional != nil && *optional
	switch {
	case errors.Is(err, ErrNotFound) && may:
		return "", true
	case errors.Is(err, ErrNotFound):
		return fmt.Sprintf("%s %q not found", kind, name), true
	case err != nil:
		return "", false
	case key != "" && !got.Keys[key] && !may:
		return fmt.Sprintf("couldn't find key %v in %s %v/%v", key, map[Kind]string{ConfigMap: "ConfigMap", Secret: "Secret"}[kind],
			l.pod.Namespace, name), true
	}
	return "", true
}

// rootless is why a container must not run as the user that it asks for, or "".
func (l *life) rootless(c *corev1.Container) string {
	var user *int64
	var must *bool
	if s := l.pod.Spec.SecurityContext; s != nil {
		user, must = s.RunAsUser, s.RunAsNonRoot
	}
	if s := c.SecurityContext; s != nil {
		if s.RunAsUser != nil {
			user = s.RunAsUser
		}
		if s.RunAsNonRoot != nil {
			must = s.RunAsNonRoot
		}
	}
	if must == nil || !*must {
		return ""
	}
	if user == nil {
		if podcmd.RunsAsRoot(c.Image) {
			return fmt.Sprintf("container has runAsNonRoot and image will run as root (pod: %q, container: %s)", l.format(), c.Name)
		}
		return ""
	}
	if *user != 0 {
		return ""
	}
	return fmt.Sprintf("container's runAsUser breaks non-root policy (pod: %q, container: %s)", l.format(), c.Name)
}

// thresholds are what a kubelet of an EKS node evicts at, by the resource, and what it then has left.
var thresholds = map[corev1.ResourceName][2]resource.Quantity{
	corev1.ResourceMemory:           {resource.MustParse("100Mi"), resource.MustParse("92Mi")},
	corev1.ResourceEphemeralStorage: {resource.MustParse("2146223340"), resource.MustParse("1968Mi")},
	"pids":                          {resource.MustParse("3276"), resource.MustParse("3102")},
}
