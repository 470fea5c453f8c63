package az

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"slices"
	"strings"

	"tripod/api"
	"tripod/apiserver/launch"
	"tripod/az/plan"
	"tripod/iam"
)

// handleWhoAmI tells whose token the body has, in the cluster.
func (z *Zone) handleWhoAmI(w http.ResponseWriter, r *http.Request) {
	var question struct{ Token string }
	z.explain(w, r, &question, func(c *clusterZone) (any, error) { return c.admits.ExplainToken(question.Token) })
}

// handleCanI tells whether a principal may do something in the cluster.
func (z *Zone) handleCanI(w http.ResponseWriter, r *http.Request) {
	var question api.AccessQuestion
	z.explain(w, r, &question, func(c *clusterZone) (any, error) {
		administrator, err := c.newAPIClient(launch.Administrator)
		if err != nil {
			return nil, err
		}
		defer administrator.CloseIdleConnections()
		api := kubeAPI{"https://" + plan.APIServerAddress(c.record.EndpointPort, c.index), administrator}
		return access{c.record.Name, z.config.AccountID, c.admits, c.permits, api}.explain(r.Context(), question)
	})
}

// explain reads a question about a cluster, and writes what ask says of it.
func (z *Zone) explain(w http.ResponseWriter, r *http.Request, question any, ask func(*clusterZone) (any, error)) {
	if err := json.NewDecoder(r.Body).Decode(question); err != nil {
		answer(w, http.StatusBadRequest, err)
		return
	}
	c := z.clusterNamed(r.PathValue("name"))
	if c == nil {
		answer(w, http.StatusNotFound, fmt.Errorf("zone %s does not run cluster %q yet", z.config.Zone, r.PathValue("name")))
		return
	}
	explanation, err := ask(c)
	if err != nil {
		answer(w, http.StatusServiceUnavailable, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(explanation)
}

func (z *Zone) clusterNamed(name string) *clusterZone {
	z.mu.Lock()
	defer z.mu.Unlock()
	for _, c := range z.clusters {
		if c.record.Name == name {
			return c
		}
	}
	return nil
}

// access explains what principals may do in a cluster: it asks the very parts that decide.
type access struct {
	cluster string // its name
	account string // 12 digits
	admits  *iam.Authenticator
	permits *iam.Authorizer
	api     kubeAPI
}

func (a access) explain(ctx context.Context, question api.AccessQuestion) (*api.Access, error) {
	action, err := a.api.action(ctx, question)
	if err != nil {
		return nil, err
	}
	explained := &api.Access{Action: action}
	var principal *iam.Principal
	if explained.Identity, principal, err = a.identify(ctx, question); err != nil || explained.Refusal != "" {
		return explained, err
	}
	if explained.RBAC, err = a.api.review(ctx, explained.Identity, action); err != nil {
		return nil, err
	}
	if principal != nil {
		if explained.Policies, err = a.permits.Explain(*principal, action); err != nil {
			return nil, err
		}
	}
	explained.Allowed = explained.RBAC.Allowed || slices.ContainsFunc(explained.Policies, func(p api.PolicyDecision) bool { return p.Allowed })
	return explained, nil
}

// kubeAPI is an API server, as its administrator.
type kubeAPI struct {
	server string
	client *http.Client
}

// superusers may do everything: their API servers ask nobody about them.
const superusers = "system:masters"

// review asks the API server's authorizers about the user. As the user comes without the UID and the extras of IAM's principals, access policies
// are not asked: what remains are RBAC and the authorizer of nodes.
func (k kubeAPI) review(ctx context.Context, user api.Identity, action api.Action) (*api.Decision, error) {
	attributes := "resourceAttributes"
	if action.Path != "" {
		attributes = "nonResourceAttributes"
	}
	var reviewed struct {
		Status struct {
			Allowed         bool
			Reason          string
			EvaluationError string
		}
	}
	err := k.call(ctx, http.MethodPost, "/apis/authorization.k8s.io/v1/subjectaccessreviews", map[string]any{
		"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
		"spec": map[string]any{"user": user.Username, "groups": everyGroup(user), attributes: action},
	}, &reviewed)
	status := reviewed.Status
	decision := &api.Decision{Allowed: status.Allowed, Reason: strings.TrimPrefix(status.Reason, "RBAC: ")}
	switch {
	case decision.Reason != "":
	case status.Allowed && slices.Contains(user.Groups, superusers):
		decision.Reason = "the group " + superusers + " may do everything"
	case status.Allowed:
		decision.Reason = "allowed"
	case status.EvaluationError != "":
		decision.Reason = "no rule allows it; " + status.EvaluationError
	default:
		decision.Reason = "no rule allows it"
	}
	return decision, err
}

// action is what a question is about.
func (k kubeAPI) action(ctx context.Context, question api.AccessQuestion) (api.Action, error) {
	action := api.Action{Verb: question.Verb, Subresource: question.Subresource, Namespace: question.Namespace}
	if strings.HasPrefix(question.Resource, "/") {
		return api.Action{Verb: question.Verb, Path: question.Resource}, nil
	}
	kind, name, _ := strings.Cut(question.Resource, "/")
	if action.Name = name; kind == "*" {
		action.Resource = kind
		return action, nil
	}
	namespaced, err := k.resolve(ctx, kind, &action)
	switch {
	case err != nil:
		return action, err
	case action.Group == "" && action.Resource == "namespaces":
		action.Namespace = name // an API server takes a request for a namespace as one in it
	case !namespaced:
		action.Namespace = ""
	}
	return action, nil
}

// apiGroup is a group of the API server's aggregated discovery.
type apiGroup struct {
	Metadata struct{ Name string }
	Versions []struct{ Resources []apiResource }
}

type apiResource struct {
	Resource, SingularResource, Scope string
	ShortNames                        []string
}

// resolve finds the group and the resource that a type's name means, as kubectl does: by the cluster's own discovery.
func (k kubeAPI) resolve(ctx context.Context, kind string, action *api.Action) (namespaced bool, err error) {
	name, group, grouped := strings.Cut(strings.ToLower(kind), ".")
	for _, path := range []string{"/api", "/apis"} {
		var list struct{ Items []apiGroup }
		if err := k.call(ctx, http.MethodGet, path, nil, &list); err != nil {
			return false, err
		}
		for _, g := range list.Items {
			if grouped && g.Metadata.Name != group {
				continue
			}
			for _, version := range g.Versions {
				at := slices.IndexFunc(version.Resources, func(r apiResource) bool {
					return name == r.Resource || name == r.SingularResource || slices.Contains(r.ShortNames, name)
				})
				if at >= 0 {
					action.Group, action.Resource = g.Metadata.Name, version.Resources[at].Resource
					return version.Resources[at].Scope == "Namespaced", nil
				}
			}
		}
	}
	return false, fmt.Errorf("the cluster has no resources of type %q: see 'tripod kubectl api-resources'", kind)
}

// discovery is the media type of all groups in one answer.
const discovery = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

// maxAPIAnswer is in bytes: discovery is the longest answer, and longer with each of the cluster's own types.
const maxAPIAnswer = 16 << 20

func (k kubeAPI) call(ctx context.Context, method, path string, in, out any) error {
	body := &bytes.Buffer{}
	if in != nil {
		if err := json.NewEncoder(body).Encode(in); err != nil {
			return err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, k.server+path, body)
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", discovery+",application/json")
	response, err := k.client.Do(request)
	if err != nil {
		return fmt.Errorf("the API server does not answer: %w", err)
	}
	defer response.Body.Close()
	switch {
	case response.StatusCode == http.StatusNotFound:
		return fmt.Errorf("the API server has no %s: %w", path, fs.ErrNotExist)
	case response.StatusCode >= 300:
		return fmt.Errorf("the API server answers %s", response.Status)
	}
	return json.NewDecoder(io.LimitReader(response.Body, maxAPIAnswer)).Decode(out)
}
