package explain

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
)

// APIServer is an API server, as its administrator.
type APIServer struct {
	URL    string // https://127.0.0.1:PORT
	Client *http.Client
}

// superusers may do everything: their API servers ask nobody about them.
const superusers = "system:masters"

// review asks the API server's authorizers about the user. As the user comes without the UID and the extras of IAM's
// principals, access policies are not asked: what remains are RBAC and the authorizer of nodes.
func (s APIServer) review(ctx context.Context, user api.Identity, action api.Action) (*api.Decision, error) {
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
	err := s.call(ctx, http.MethodPost, "/apis/authorization.k8s.io/v1/subjectaccessreviews", map[string]any{
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
func (s APIServer) action(ctx context.Context, question api.AccessQuestion) (api.Action, error) {
	action := api.Action{Verb: question.Verb, Subresource: question.Subresource, Namespace: question.Namespace}
	if strings.HasPrefix(question.Resource, "/") {
		return api.Action{Verb: question.Verb, Path: question.Resource}, nil
	}
	kind, name, _ := strings.Cut(question.Resource, "/")
	if action.Name = name; kind == "*" {
		action.Resource = kind
		return action, nil
	}
	namespaced, err := s.resolve(ctx, kind, &action)
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
func (s APIServer) resolve(ctx context.Context, kind string, action *api.Action) (namespaced bool, err error) {
	name, group, grouped := strings.Cut(strings.ToLower(kind), ".")
	for _, path := range []string{"/api", "/apis"} {
		var list struct{ Items []apiGroup }
		if err := s.call(ctx, http.MethodGet, path, nil, &list); err != nil {
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

func (s APIServer) call(ctx context.Context, method, path string, in, out any) error {
	body := &bytes.Buffer{}
	if in != nil {
		if err := json.NewEncoder(body).Encode(in); err != nil {
			return err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, s.URL+path, body)
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", discovery+",application/json")
	response, err := s.Client.Do(request)
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
