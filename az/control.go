package az

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"tripod/awsapi/eks"
	"tripod/awsapi/wire"
	"tripod/az/controlplane"
	"tripod/az/instance"
	"tripod/az/plan"
	"tripod/iam"
	"tripod/internal/loss"
	"tripod/region"
	"tripod/state"
)

// Founding is what a new region is founded with; what is there already is left alone.
type Founding struct {
	User      region.User      `json:"user"`
	AccessKey region.AccessKey `json:"accessKey"`
	// Cluster lacks its secrets, which the zone makes. Without an ID no cluster is made.
	Cluster region.Cluster `json:"cluster"`
}

// controlHandler takes the region's orders, on a unix socket that only this user can reach.
func (z *Zone) controlHandler() http.Handler {
	routes := http.NewServeMux()
	routes.HandleFunc("POST /v1/found", z.handleFound)
	routes.HandleFunc("POST /v1/root", z.handleRoot)
	routes.HandleFunc("POST /v1/nodes/{name}/credentials", z.handleNode)
	routes.HandleFunc("POST /v1/clusters/{id}/endpoint", z.handleEndpoint)
	routes.HandleFunc("POST /v1/unreachable", z.handleUnreachable)
	routes.HandleFunc("POST "+loss.Path, z.handleLoss)
	routes.HandleFunc("POST "+loss.SuspensionPath, z.handleSuspension)
	routes.HandleFunc("POST /v1/quiesce", func(w http.ResponseWriter, r *http.Request) {
		answer(w, http.StatusConflict, z.Quiesce(r.Context()))
	})
	routes.HandleFunc("POST /v1/instances/{component}/{verb}", z.handleVerb)
	routes.HandleFunc("POST /v1/clusters/{name}/update/{verb}", z.handleUpdate)
	routes.HandleFunc("POST /v1/clusters/{name}/whoami", z.handleWhoAmI)
	routes.HandleFunc("POST /v1/clusters/{name}/can-i", z.handleCanI)
	routes.Handle("GET /v1/metrics", promhttp.HandlerFor(z.registry, promhttp.HandlerOpts{}))
	routes.HandleFunc("GET /v1/metrics/{component}", z.handleMetrics)
	return routes
}

func answer(w http.ResponseWriter, status int, err error) {
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]string{"error": err.Error()})
}

func (z *Zone) handleFound(w http.ResponseWriter, r *http.Request) {
	var founding Founding
	if err := json.NewDecoder(r.Body).Decode(&founding); err != nil {
		answer(w, http.StatusBadRequest, err)
		return
	}
	if founding.Cluster.ID != "" {
		secrets, err := controlplane.NewSecrets(founding.Cluster)
		if err != nil {
			answer(w, http.StatusInternalServerError, err)
			return
		}
		founding.Cluster.Secrets = secrets
	}
	entryID := wire.NewRequestID()
	err := z.voter.Update(r.Context(), func(tx *state.Txn) error {
		if _, ok := region.Users.Get(tx, founding.User.Name); !ok {
			region.Users.Put(tx, founding.User.Name, founding.User)
			region.AccessKeys.Put(tx, founding.AccessKey.ID, founding.AccessKey)
			if err := eks.FoundRoles(tx, z.config.AccountID, rand.Reader, founding.User.CreatedAt); err != nil {
				return err
			}
		}
		if founding.Cluster.ID == "" {
			return nil
		}
		if _, found := region.ClusterNamed(tx, founding.Cluster.Name); found {
			return nil
		}
		cluster := founding.Cluster
		if cluster.Nodes > 0 {
			if err := eks.AdmitFirstNodes(tx, z.config.Region, z.config.AccountID, &cluster, rand.Reader, cluster.CreatedAt); err != nil {
				return err
			}
		}
		if cluster.CreatorARN == "" {
			return region.CreateCluster(tx, cluster, nil)
		}
		admin, err := eks.CreatorEntry(z.config.Region, z.config.AccountID, cluster, founding.User.ID, entryID, cluster.CreatedAt)
		if err != nil {
			return err
		}
		return region.CreateCluster(tx, cluster, &admin)
	})
	if err == nil { // before anybody needs it: sessions are good in all zones from the first one on
		_, err = iam.EnsureSessionKey(r.Context(), z.voter, rand.Reader, time.Now())
	}
	answer(w, http.StatusServiceUnavailable, err)
}

func (z *Zone) handleUnreachable(w http.ResponseWriter, r *http.Request) {
	var names []string
	if err := json.NewDecoder(r.Body).Decode(&names); err != nil {
		answer(w, http.StatusBadRequest, err)
		return
	}
	z.gateway.SetUnreachable(names)
	answer(w, 0, nil)
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

// answerState tells how things stand after an order, so that its effect shows as soon as it returns.
func (z *Zone) answerState(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(z.state())
}

// handleMetrics passes on what the instance's own process serves.
func (z *Zone) handleMetrics(w http.ResponseWriter, r *http.Request) {
	i, err := z.find(r.PathValue("component"), r.FormValue("cluster"))
	if err != nil {
		answer(w, http.StatusNotFound, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), instance.MetricsTimeout)
	defer cancel()
	response, err := i.Metrics(ctx)
	if err != nil {
		answer(w, http.StatusBadGateway, err)
		return
	}
	defer response.Body.Close()
	w.Header().Set("Content-Type", response.Header.Get("Content-Type"))
	io.Copy(w, response.Body)
}

// Call gives an agent an order. The answer's body is decoded into out unless that is nil; an io.Writer takes it as it
// is.
func Call(ctx context.Context, runDir, method, path string, in, out any) error {
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", plan.ControlSocket(runDir))
	}}
	body, err := encodeBody(in)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://agent"+path, body)
	if err != nil {
		return err
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return fmt.Errorf("the zone's agent does not answer: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode >= 400 {
		var failure struct{ Error string }
		if json.NewDecoder(io.LimitReader(response.Body, 64<<10)).Decode(&failure) != nil || failure.Error == "" {
			failure.Error = "the zone's agent answers " + response.Status
		}
		return errors.New(failure.Error)
	}
	switch out := out.(type) {
	case nil:
		return nil
	case io.Writer:
		_, err = io.Copy(out, response.Body)
		return err
	default:
		return json.NewDecoder(response.Body).Decode(out)
	}
}

func encodeBody(in any) (io.Reader, error) {
	if in == nil {
		return http.NoBody, nil
	}
	read, write := io.Pipe()
	go func() { write.CloseWithError(json.NewEncoder(write).Encode(in)) }()
	return read, nil
}
