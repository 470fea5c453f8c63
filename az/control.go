package az

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"tripod/awsapi/eks"
	"tripod/awsapi/wire"
	"tripod/az/controlplane"
	"tripod/iam"
	"tripod/internal/link"
	"tripod/region"
	"tripod/state"
)

// controlHandler takes the region's orders, on a unix socket that only this user can reach.
func (z *Zone) controlHandler() http.Handler {
	routes := http.NewServeMux()
	for route, handle := range map[route]http.HandlerFunc{
		routeFound:           z.handleFound,
		routeRoot:            z.handleRoot,
		routeNodeCredentials: z.handleNode,
		routeEndpoint:        z.handleEndpoint,
		routeUnreachable:     z.handleUnreachable,
		routeLinks:           z.handleLinks,
		routeDisk:            z.handleDisk,
		routeLoss:            z.handleLoss,
		routeSuspension:      z.handleSuspension,
		routeQuiesce: func(w http.ResponseWriter, r *http.Request) {
			answer(w, http.StatusConflict, z.Quiesce(r.Context()))
		},
		routeInstance:        z.handleVerb,
		routeFault:           z.handleFault,
		routeStopExperiments: z.handleStopExperiments,
		routeWhoAmI:          z.handleWhoAmI,
		routeCanI:            z.handleCanI,
		routeCanReach:        z.handleCanReach,
		routeConnect:         z.handleConnect,
		routeMetrics:         promhttp.HandlerFor(z.registry, promhttp.HandlerOpts{}).ServeHTTP,
		routeInstanceMetrics: z.handleMetrics,
		routeKubeState:       z.handleKubeState,
		routeCronJobs:        z.handleCronJobs,
		routeLogLevel:        z.handleLogLevel,
		routeScraped:         z.handleScraped,
		routeNodeMetrics:     z.handleNodeMetrics,
		routePodMetrics:      z.handlePodMetrics,
	} {
		routes.HandleFunc(string(route), handle)
	}
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
			if err := z.acting.Clusters.FirstNodegroup(tx, &cluster, rand.Reader, cluster.CreatedAt); err != nil {
				return err
			}
		}
		if cluster.CreatorARN == "" {
			_, err := region.CreateCluster(tx, cluster, nil)
			return err
		}
		admin, err := eks.CreatorEntry(z.config.Region, z.config.AccountID, cluster, founding.User.ID, entryID,
			cluster.CreatedAt)
		if err != nil {
			return err
		}
		_, err = region.CreateCluster(tx, cluster, &admin)
		return err
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

func (z *Zone) handleLinks(w http.ResponseWriter, r *http.Request) {
	var settings link.Settings
	if err := json.NewDecoder(r.Body).Decode(&settings); err != nil {
		answer(w, http.StatusBadRequest, err)
		return
	}
	z.gateway.SetLinks(settings)
	answer(w, 0, nil)
}

// answerState tells how things stand after an order, so that its effect shows as soon as it returns.
func (z *Zone) answerState(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(z.state())
}
