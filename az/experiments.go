package az

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"tripod/api"
	"tripod/awsapi/fis"
	"tripod/az/controlplane"
	"tripod/region"
	"tripod/state"
)

// experiments are those of Fault Injection Service, as the leading zone carries them out.
func (z *Zone) experiments() *fis.Service {
	driven := *z.acting.Experiments
	driven.Pods = experimentPods{z.voter, z.objectsOf, z.recordFaults()}
	driven.Tell = func(experiment, sentence string, over bool) {
		event := api.Event{Target: "experiment/" + experiment, Type: api.FaultInjected, Message: sentence}
		if over {
			event.Type = api.FaultCleared
		}
		z.event(event)
	}
	return &driven
}

// stopTime is how long experiments are waited for in one call: whoever asks can ask again.
const stopTime = 5 * time.Second

// handleStopExperiments stops all experiments, and answers when they have taken back what they did.
func (z *Zone) handleStopExperiments(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), stopTime)
	defer cancel()
	ids, err := z.acting.Experiments.StopAll(ctx, "Experiment stopped by tripod reset.")
	if err != nil {
		answer(w, http.StatusConflict, err)
		return
	}
	changes, stop := z.voter.Watch()
	defer stop()
	for {
		var going []string
		z.voter.View(func(tx *state.Txn) error { going = fis.Going(tx, ids); return nil })
		if len(going) == 0 {
			answer(w, http.StatusConflict, nil)
			return
		}
		select {
		case <-changes:
		case <-ctx.Done():
			answer(w, http.StatusConflict, fmt.Errorf("the experiment %s is still stopping: 'aws fis get-experiment --id %[1]s' says what "+
				"it waits for", going[0]))
			return
		}
	}
}

// experimentPods are the pods that experiments have for targets: those of this zone's API servers.
type experimentPods struct {
	state   state.Viewer
	objects func(clusterID string) (controlplane.Objects, error)
	faults  *recordFaults
}

// Find implements fis.Pods.
func (p experimentPods) Find(ctx context.Context, clusterID, namespace, kind, value string) (found []fis.Pod, err error) {
	ctx, cancel := context.WithTimeout(ctx, faultTimeout)
	defer cancel()
	objects, err := p.objects(clusterID)
	if err != nil {
		return nil, err
	}
	defer objects.Close()
	query := url.Values{}
	switch kind {
	case "labelSelector":
		query.Set("labelSelector", value)
	case "podName":
		query.Set("fieldSelector", "metadata.name="+value)
	case "deploymentName":
		selector, err := objects.DeploymentSelector(ctx, namespace, value)
		if err != nil {
			return nil, err
		}
		query.Set("labelSelector", selector)
	default:
		return nil, errors.New("the selectorType " + kind + " is none of labelSelector, deploymentName and podName")
	}
	pods, err := objects.Pods(ctx, namespace, query)
	if err != nil {
		return nil, err
	}
	zones := p.zonesOfNodes()
	for _, pod := range pods {
		found = append(found, fis.Pod{ClusterID: clusterID, Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID, Zone: zones[pod.Node]})
	}
	return found, nil
}

// zonesOfNodes are the zones of instances, by their nodes' names.
func (p experimentPods) zonesOfNodes() map[string]string {
	zones := map[string]string{}
	p.state.View(func(tx *state.Txn) error {
		for _, v := range region.Instances.List(tx) {
			if v.State.Alive() {
				zones[v.DNSName] = v.Zone
			}
		}
		return nil
	})
	return zones
}

// Delete implements fis.Pods.
func (p experimentPods) Delete(ctx context.Context, pod fis.Pod, serviceAccount string, grace *int) error {
	ctx, cancel := context.WithTimeout(ctx, faultTimeout)
	defer cancel()
	objects, err := p.objects(pod.ClusterID)
	if err != nil {
		return err
	}
	defer objects.Close()
	path := controlplane.PodPath(pod.Namespace, pod.Name)
	err = objects.AsServiceAccount(pod.Namespace, serviceAccount).Delete(ctx, path, pod.UID, grace)
	switch {
	case errors.Is(err, controlplane.ErrNoObject): // it is gone, perhaps by a step before this one
		return nil
	case errors.Is(err, controlplane.ErrForbidden):
		return fmt.Errorf("%w: %w", fis.ErrNotAllowed, err)
	}
	return err
}

// Break implements fis.Pods. FIS's pod adds an ephemeral container to its target: who may do that may break it.
func (p experimentPods) Break(ctx context.Context, pod fis.Pod, serviceAccount, words string, lasts time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, faultTimeout)
	defer cancel()
	objects, err := p.objects(pod.ClusterID)
	if err != nil {
		return err
	}
	defer objects.Close()
	const resource, verb = "pods/ephemeralcontainers", "update"
	allowed, err := objects.AsServiceAccount(pod.Namespace, serviceAccount).Allowed(ctx, pod.Namespace, verb, resource)
	if err != nil {
		return err
	}
	if !allowed {
		return fmt.Errorf("%w: the service account %s/%s may not %s %s", fis.ErrNotAllowed, pod.Namespace, serviceAccount, verb, resource)
	}
	target := api.Target{Kind: api.KindPod, Name: pod.Namespace + "/" + pod.Name}
	now, err := objects.Get(ctx, controlplane.PodPath(pod.Namespace, pod.Name))
	switch there := now.Annotations[faultAnnotation]; {
	case err != nil:
		return fmt.Errorf("%s: %w", target, err)
	case now.UID != pod.UID:
		return fmt.Errorf("%s is another pod by now", target)
	case there == words:
		return nil // by a step before this one
	case there != "":
		return fmt.Errorf("%s has the fault %s already", target, there)
	}
	order := api.FaultOrder{Target: target, Cluster: p.faults.clusterName(pod.ClusterID), Fault: words, For: lasts}
	_, err = p.faults.breakPod(ctx, order)
	return err
}
