package kubestate

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// containers and initContainers are families of a pod's containers, which differ in their names alone, but for what they are for.
var (
	containers = append(containersOf("kube_pod_container_", "container", appContainers), images("kube_pod_container_info",
		"Information about a container in a pod.", appContainers, func(*corev1.Container) []string { return nil }))
	initContainers = append(containersOf("kube_pod_init_container_", "init container", firstContainers), images("kube_pod_init_container_info",
		"Information about an init container in a pod.", firstContainers, func(c *corev1.Container) []string {
			return []string{"restart_policy", said(c.RestartPolicy)}
		}))
)

// containersOfPod are containers of a pod, and the statuses of those that have one.
type containersOfPod func(*pod) ([]corev1.Container, []corev1.ContainerStatus)

func appContainers(p *pod) ([]corev1.Container, []corev1.ContainerStatus) {
	return p.Spec.Containers, p.Status.ContainerStatuses
}

func firstContainers(p *pod) ([]corev1.Container, []corev1.ContainerStatus) {
	return p.Spec.InitContainers, p.Status.InitContainerStatuses
}

// images tells of those of containers that have a status, with more labels of each.
func images(name, help string, of containersOfPod, more func(*corev1.Container) []string) family[pod] {
	return several(name, help, func(p *pod, s *series) {
		specs, statuses := of(p)
		for i := range specs {
			c := &specs[i]
			at := slices.IndexFunc(statuses, func(s corev1.ContainerStatus) bool { return s.Name == c.Name })
			if at < 0 {
				continue
			}
			is := &statuses[at]
			labels := []string{"container", c.Name, "image_spec", c.Image, "image", is.Image, "image_id", is.ImageID,
				"container_id", is.ContainerID}
			s.add(1, append(labels, more(c)...)...)
		}
	})
}

func containersOf(prefix, what string, of containersOfPod) []family[pod] {
	resources := func(name, help string, list func(*corev1.Container) corev1.ResourceList) family[pod] {
		return several(prefix+"resource_"+name, help, func(p *pod, s *series) {
			specs, _ := of(p)
			for i := range specs {
				s.quantities(list(&specs[i]), "container", specs[i].Name, "node", p.Spec.NodeName)
			}
		})
	}
	each := func(name, help string, tell func(*corev1.ContainerStatus, *series)) family[pod] {
		return several(prefix+name, help, func(p *pod, s *series) {
			_, statuses := of(p)
			for i := range statuses {
				tell(&statuses[i], s)
			}
		})
	}
	is := func(name, help string, yes func(*corev1.ContainerStatus) bool) family[pod] {
		return each(name, help, func(c *corev1.ContainerStatus, s *series) { s.is(yes(c), "container", c.Name) })
	}
	plain := what == "container"
	text := func(of, ofInitial string) string {
		if plain {
			return of
		}
		return ofInitial
	}
	restarts := each("status_restarts_total", text("The number of container restarts per container.",
		"The number of restarts for the init container."),
		func(c *corev1.ContainerStatus, s *series) { s.add(float64(c.RestartCount), "container", c.Name) })
	restarts.counter = true
	precise := text(" It is recommended to use the kube_pod_resource_limits metric exposed by kube-scheduler instead, as it is more "+
		"precise.", "")
	preciseRequests := text(" It is recommended to use the kube_pod_resource_requests metric exposed by kube-scheduler instead, as it "+
		"is more precise.", "")
	return []family[pod]{
		resources("limits", "The number of requested limit resource by "+text("a", "an")+" "+what+"."+precise,
			func(c *corev1.Container) corev1.ResourceList { return c.Resources.Limits }),
		resources("requests", "The number of requested request resource by "+text("a", "an")+" "+what+"."+preciseRequests,
			func(c *corev1.Container) corev1.ResourceList { return c.Resources.Requests }),
		each("state_started", "Start time in unix timestamp for a pod "+what+".", func(c *corev1.ContainerStatus, s *series) {
			switch {
			case c.State.Running != nil:
				s.add(float64(c.State.Running.StartedAt.Unix()), "container", c.Name)
			case c.State.Terminated != nil:
				s.add(float64(c.State.Terminated.StartedAt.Unix()), "container", c.Name)
			}
		}),
		is("status_ready", text("Describes whether the containers readiness check succeeded.",
			"Describes whether the init containers readiness check succeeded."),
			func(c *corev1.ContainerStatus) bool { return c.Ready }),
		is("status_running", "Describes whether the "+what+" is currently in running state.",
			func(c *corev1.ContainerStatus) bool { return c.State.Running != nil }),
		is("status_terminated", "Describes whether the "+what+" is currently in terminated state.",
			func(c *corev1.ContainerStatus) bool { return c.State.Terminated != nil }),
		is("status_waiting", "Describes whether the "+what+" is currently in waiting state.",
			func(c *corev1.ContainerStatus) bool { return c.State.Waiting != nil }),
		restarts,
		each("status_waiting_reason", "Describes the reason the "+what+" is currently in waiting state.",
			func(c *corev1.ContainerStatus, s *series) {
				if c.State.Waiting != nil {
					s.add(1, "container", c.Name, "reason", c.State.Waiting.Reason)
				}
			}),
		each("status_terminated_reason", "Describes the reason the "+what+" is currently in terminated state.",
			func(c *corev1.ContainerStatus, s *series) {
				if c.State.Terminated != nil {
					s.add(1, "container", c.Name, "reason", c.State.Terminated.Reason)
				}
			}),
		each("status_last_terminated_reason", "Describes the last reason the "+what+" was in terminated state.",
			func(c *corev1.ContainerStatus, s *series) {
				if t := c.LastTerminationState.Terminated; t != nil {
					s.add(1, "container", c.Name, "reason", t.Reason)
				}
			}),
		each("status_last_terminated_exitcode", "Describes the exit code for the last "+what+" in terminated state.",
			func(c *corev1.ContainerStatus, s *series) {
				if t := c.LastTerminationState.Terminated; t != nil {
					s.add(float64(t.ExitCode), "container", c.Name)
				}
			}),
		each("status_last_terminated_timestamp", "Last terminated time for a pod "+what+" in unix timestamp.",
			func(c *corev1.ContainerStatus, s *series) {
				if t := c.LastTerminationState.Terminated; t != nil {
					s.add(float64(t.FinishedAt.Unix()), "container", c.Name)
				}
			}),
	}
}
