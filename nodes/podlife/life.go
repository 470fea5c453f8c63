package podlife

import (
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
)

// Settings are of all pods of a zone.
type Settings struct {
	Pull  time.Duration // how long the pull of an image takes that is not on the node yet; 0: no time
	Start time.Duration // how long a container's creation takes; 0: no time
	// Run is how long a container runs that has to end, but whose command cannot be read; 0: it ends at once.
	Run time.Duration
	// Notice is the time between a container's end and its restart: a kubelet asks its runtime once a second.
	Notice time.Duration
	// RuntimeHandlers are those that RuntimeClasses may name. nil means runc alone, as on EKS's images.
	RuntimeHandlers []string
}

// DefaultSettings are as fast as can be.
func DefaultSettings() *Settings { return &Settings{Notice: time.Second} }

// Kind is of an object that a pod refers to.
type Kind string

// The kinds that a kubelet asks for.
const (
	ConfigMap      Kind = "configmap"
	Secret         Kind = "secret"
	ServiceAccount Kind = "serviceaccount"
	Claim          Kind = "persistentvolumeclaim"
	RuntimeClass   Kind = "runtimeclass"
	TrustBundle    Kind = "clustertrustbundle"
	// Attachment is a VolumeAttachment: what says that a volume is attached to a node. Its namespace is the UID of the pod that
	// asks: what was attached for an earlier pod need not be any more.
	Attachment Kind = "volumeattachment"
	// Mount is that of a volume of a driver whose volumes are not attached: its namespace is the UID of the pod that asks, its name
	// the persistent volume's, a space and the handle. An error of the Lookup says why it cannot be mounted.
	Mount Kind = "mount"
	// SignersBundles are trust bundles of one signer: its name, a question mark and a selector of labels name them.
	SignersBundles Kind = "signer's clustertrustbundles"
	// Credentials are a key and a certificate that the kubelet has had made for a pod: the pod's name, the volume's and the
	// source's number in it, with slashes between them, name them. An error of their Lookup says why they are not there.
	Credentials Kind = "pod's credentials"
)

// Reference names an object that a pod refers to. RuntimeClasses and trust bundles have no namespace.
type Reference struct {
	Kind            Kind
	Namespace, Name string
}

// Object is what a pod's kubelet wants to know of an object that is there.
type Object struct {
	Keys  map[string]bool // of a ConfigMap or Secret
	Bound bool            // a claim is
	// Driver and Handle are those of a claim's volume, where it has to be attached to a node before it can be mounted.
	Driver, Handle string
	Attached       bool // an Attachment's volume is
	// Mounts is the name of the Mount of a claim's volume, where it is mounted without being attached.
	Mounts  string
	Handler string // of a RuntimeClass
}

// What a lookup answers beside objects.
var (
	ErrNotFound = errors.New("not found")
	ErrUnknown  = errors.New("not known now") // ask again later
)

// Facts are what a kubelet knows beside the pod.
type Facts struct {
	Settings *Settings
	Now      time.Time
	Node     *corev1.Node // nil when it is not known yet: pods are not admitted then
	HostIP   string
	Others   func() []*corev1.Pod              // the node's other pods that were admitted and have not ended
	Address  func(*corev1.Pod) (string, error) // the pod's address, the same at every call; asked for once its volumes are there
	Lookup   func(Reference) (Object, error)   // ErrNotFound, ErrUnknown
	Present  func(image string) bool           // whether an image, as Normalize writes it, is on the node
	// HostFile says which run of a container has made a file of the node, by its path there; nil: none has.
	HostFile func(file string) (maker string, there bool)
	// Gone says that somebody has taken away the page that a container serves at a path; nil: nobody has.
	Gone     func(container, path string) bool
	Evict    *Eviction // the node is low on something, and it is this pod's turn
	Admitted bool      // an earlier Step said so, even if it could not be done
	Memory   *Memory   // what the last Step left, or nil
}

// HostFile is a file of the node, in a volume of the type hostPath.
type HostFile struct {
	Path, Maker string
	There       bool
}

// Request is one that a kubelet makes for a container's lifecycle hook.
type Request struct {
	Container string
	PreStop   bool // and not postStart
	HTTP      *corev1.HTTPGetAction
	Port      int
}

// Eviction says why a pod has to go.
type Eviction struct {
	Message string
}

// Event is one that the kubelet sends about the pod.
type Event struct {
	Type, Reason, Message string
	Field                 string // of the pod that it is about, such as spec.containers{web}; may be empty
}

// Step is what a kubelet does with a pod now.
type Step struct {
	Status    *corev1.PodStatus // the new one; nil: it stays as it is
	Events    []Event
	Delete    bool        // the pod's object; after the status was written
	Wake      time.Time   // when to look again if nothing changes before; zero: never
	Memory    *Memory     // to be kept once the step was done; nil: nothing
	Pulled    []string    // images that are on the node now
	HostFiles []HostFile  // files of the node that a container has made or removed
	Wanted    []Reference // Lookup did not know these: Next is to be called again when it does
	Requests  []Request   // of lifecycle hooks, to be made before the pod's object is deleted
	// Admitted says that the pod's requests count from now on, also when the step cannot be done.
	Admitted bool
	// Waiting says that the pod waits for resources of its node: a resize that was deferred.
	Waiting bool
}

// life is one call of Next.
type life struct {
	Facts
	pod      *corev1.Pod
	st       *corev1.PodStatus // the new status
	mem      *Memory
	out      Step
	programs map[runID]Program
}

// Next says what the pod's kubelet does now. The pod and the facts are not changed.
func Next(pod *corev1.Pod, f Facts) Step {
	if f.Settings == nil {
		f.Settings = DefaultSettings()
	}
	l := &life{Facts: f, pod: pod, st: pod.Status.DeepCopy(), mem: f.Memory.clone()}
	switch {
	case finished(pod):
		l.bury()
	case pod.DeletionTimestamp != nil:
		l.terminate(ending{})
	case l.mem.Ending != nil:
		l.terminate(*l.mem.Ending)
	case f.Evict != nil:
		l.evict()
	case l.overdue():
		l.exceed()
	case !l.admitted():
		l.admit()
	default:
		l.sync()
	}
	return l.step()
}

// step is what has come of the call.
func (l *life) step() Step {
	if !apiequality.Semantic.DeepEqual(&l.pod.Status, l.st) {
		l.out.Status = l.st
	}
	if len(l.out.Wanted) == 0 {
		l.mem.asking = retry{}
	}
	l.out.Memory = l.mem.tidy()
	return l.out
}

// wake asks to be called at t at the latest.
func (l *life) wake(t time.Time) {
	if !t.After(l.Now) {
		t = l.Now.Add(time.Millisecond)
	}
	if l.out.Wake.IsZero() || t.Before(l.out.Wake) {
		l.out.Wake = t
	}
}

func (l *life) event(kind, reason, message, field string) {
	l.out.Events = append(l.out.Events, Event{kind, reason, message, field})
}

func (l *life) normal(reason, message, field string) {
	l.event(corev1.EventTypeNormal, reason, message, field)
}

func (l *life) warn(reason, message, field string) {
	l.event(corev1.EventTypeWarning, reason, message, field)
}

// ask looks an object up, and notes when nobody knows.
func (l *life) ask(ref Reference) (Object, error) {
	if l.Lookup == nil {
		return Object{}, ErrUnknown
	}
	got, err := l.Lookup(ref)
	if errors.Is(err, ErrUnknown) {
		l.out.Wanted = append(l.out.Wanted, ref)
	}
	return got, err
}

// askAgain looks again soon for what nobody knows now: the API server's authorizer hears of a pod a little later than its
// kubelet, and may refuse it what it refers to until then.
func (l *life) askAgain() {
	const first, most = 100 * time.Millisecond, 2 * time.Second
	l.mem.asking.fail(l.Now, first, most)
	l.wake(l.mem.asking.next)
}

// finished says that no container of the pod runs any more, nor will.
func finished(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

// Active says that a pod's requests count on its node: it was admitted, and has not ended.
func Active(pod *corev1.Pod) bool { return pod.Status.StartTime != nil && !finished(pod) }

// bury deletes a finished pod's object when somebody asked for it.
func (l *life) bury() {
	l.mem = &Memory{}
	for _, list := range [][]corev1.ContainerStatus{l.st.InitContainerStatuses, l.st.ContainerStatuses,
		l.st.EphemeralContainerStatuses} {
		for i := range list { // a pod that somebody else ended: the controller that collects pods of lost nodes
			if list[i].State.Running != nil {
				l.end(&list[i], l.Now, exitKilled, "Error", "")
			}
		}
	}
	l.out.Delete = l.deletable()
}

// deletable says that the object's deletion is still the kubelet's to do. Once it has, finalizers may keep the object,
// without a grace period.
func (l *life) deletable() bool {
	seconds := l.pod.DeletionGracePeriodSeconds
	return l.pod.DeletionTimestamp != nil && (len(l.pod.Finalizers) == 0 || seconds == nil || *seconds > 0)
}

// admitted says that the pod was let in: by this kubelet, or by the one before it.
func (l *life) admitted() bool { return l.Admitted || l.pod.Status.StartTime != nil }

// sync is what a kubelet does with a pod that it has let in.
func (l *life) sync() {
	if l.st.StartTime == nil {
		l.st.StartTime = stamp(l.Now)
	}
	l.lists()
	if l.mount() && l.sandbox() {
		l.ephemeral()
		l.resize()
		l.containers()
	}
	l.probes()
	l.summarize()
	if finished := l.st.Phase == corev1.PodSucceeded || l.st.Phase == corev1.PodFailed; finished {
		l.mem = &Memory{}
	} else if at, limited := l.deadline(); limited {
		l.wake(at)
	}
}
