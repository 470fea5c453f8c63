package podlife

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

// debuggers are the pod's ephemeral containers.
func (l *life) debuggers() []one {
	var list []one
	for i := range l.pod.Spec.EphemeralContainers {
		c := corev1.Container(l.pod.Spec.EphemeralContainers[i].EphemeralContainerCommon)
		cs := statusOf(l.st.EphemeralContainerStatuses, c.Name)
		if cs == nil {
			continue
		}
		list = append(list, one{c: &c, cs: cs, field: fmt.Sprintf("spec.ephemeralContainers{%s}", c.Name)})
	}
	return list
}

// ephemeral starts the pod's ephemeral containers, once, and ends those that have done their work.
func (l *life) ephemeral() {
	for _, o := range l.debuggers() {
		m := l.mem.of(o.c.Name)
		if o.cs.State.Waiting != nil {
			l.start(o, &m)
			if o.cs.State.Running != nil {
				o.cs.Started, o.cs.Resources = nil, nil // kubelets set neither
			}
		}
		if o.cs.State.Running != nil {
			// A shell that waits for somebody to type runs for ever, and so does what cannot be read.
			if p := l.program(o.c); p.Known {
				l.runOn(o, &m)
			}
		}
		if o.cs.State.Terminated != nil {
			o.cs.Started = nil
		}
		l.mem.put(o.c.Name, m)
	}
}
