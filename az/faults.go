package az

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"tripod/az/instance"
	"tripod/region"
	"tripod/state"
)

func (z *Zone) handleVerb(w http.ResponseWriter, r *http.Request) {
	i, err := z.find(r.PathValue("component"), r.FormValue("cluster"))
	if err != nil {
		answer(w, http.StatusNotFound, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), stopTimeout)
	defer cancel()
	switch verb := r.PathValue("verb"); verb {
	case "kill":
		i.Kill()
	case "pause":
		err = i.Pause()
	case "resume":
		err = i.Resume()
	case "stop":
		err = i.Stop(ctx)
	case "start":
		i.Start()
	case "reset":
		err = i.Reset()
	default:
		err = fmt.Errorf("there is no verb %q", verb)
	}
	if err != nil {
		answer(w, http.StatusConflict, err)
		return
	}
	z.answerState(w)
}

func (z *Zone) find(component, cluster string) (*instance.Instance, error) {
	var found []*instance.Instance
	for _, i := range z.instances(cluster) {
		if i.Component == component {
			found = append(found, i)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return nil, fmt.Errorf("zone %s has no %s of a cluster %q", z.config.Zone, component, cluster)
	default:
		return nil, fmt.Errorf("zone %s has %d instances of %s: say which by --cluster", z.config.Zone, len(found), component)
	}
}

// handleUpdate makes the cluster's next rollout fail, or lets it go well again.
func (z *Zone) handleUpdate(w http.ResponseWriter, r *http.Request) {
	name, now := r.PathValue("name"), time.Now().UTC()
	faulted := map[string]*time.Time{"fault": &now, "reset": nil}
	at, known := faulted[r.PathValue("verb")]
	if !known {
		answer(w, http.StatusNotFound, fmt.Errorf("there is no verb %q for an update", r.PathValue("verb")))
		return
	}
	err := z.voter.Update(r.Context(), func(tx *state.Txn) error {
		if !region.FaultNextRollout(tx, name, at) {
			return fmt.Errorf("there is no cluster %q", name)
		}
		return nil
	})
	if err != nil {
		answer(w, http.StatusConflict, err)
		return
	}
	z.answerState(w)
}
