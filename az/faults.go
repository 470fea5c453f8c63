package az

import (
	"context"
	"fmt"
	"net/http"

	"tripod/az/instance"
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
