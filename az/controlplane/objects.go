package controlplane

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tripod/apiserver/launch"
	"tripod/az/plan"
)

// ErrNoObject says that a cluster has no such object.
var ErrNoObject = errors.New("there is no such object")

// ErrForbidden says that whoever asks may not do that.
var ErrForbidden = errors.New("the API server refuses it")

// Objects are a cluster's, as its administrator sees them by the zone's API server, or somebody whom it acts for.
type Objects struct {
	URL    string // https://127.0.0.1:PORT
	Client *http.Client
	as     []string // a user and its groups; empty: the administrator itself
}

// AsServiceAccount are the objects as a service account sees them: its rights count.
func (o Objects) AsServiceAccount(namespace, name string) Objects {
	o.as = []string{"system:serviceaccount:" + namespace + ":" + name, "system:serviceaccounts", "system:serviceaccounts:" + namespace,
		"system:authenticated"}
	return o
}

// Object is what counts of an object.
type Object struct {
	Name        string            `json:"name"`
	UID         string            `json:"uid"`
	Annotations map[string]string `json:"annotations"`
}

// Objects speaks to the zone's API server until Close.
func (c *Part) Objects() (Objects, error) {
	administrator, err := c.newAPIClient(launch.Administrator)
	if err != nil {
		return Objects{}, err
	}
	administrator.Timeout = objectsTimeout
	return Objects{URL: "https://" + plan.APIServerAddress(c.cluster.EndpointPort, c.index), Client: administrator}, nil
}

// objectsTimeout bounds a call: an API server may hang, and another zone's answer.
const objectsTimeout = 8 * time.Second

// Close lets go of the API server.
func (o Objects) Close() { o.Client.CloseIdleConnections() }

// PodPath and NodePath are where the API server has a pod and a node. Without a name it is where all are.
func PodPath(namespace, name string) string {
	return "/api/v1/namespaces/" + url.PathEscape(namespace) + "/pods" + below(name)
}

// NodePath see PodPath.
func NodePath(name string) string { return "/api/v1/nodes" + below(name) }

func below(name string) string {
	if name == "" {
		return ""
	}
	return "/" + url.PathEscape(name)
}

// Get returns the object at a path, or ErrNoObject.
func (o Objects) Get(ctx context.Context, path string) (Object, error) {
	var got struct{ Metadata Object }
	err := o.call(ctx, http.MethodGet, path, nil, &got)
	return got.Metadata, err
}

// Annotate gives the object at a path annotations, and takes those away whose value is nil. It returns the object as it
// is then, or ErrNoObject.
func (o Objects) Annotate(ctx context.Context, path string, annotations map[string]*string) (Object, error) {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": annotations}})
	if err != nil {
		return Object{}, err
	}
	var got struct{ Metadata Object }
	err = o.call(ctx, http.MethodPatch, path+"?fieldManager=tripod-fault", patch, &got)
	return got.Metadata, err
}

// Names are those of the first objects at a path, at most so many; more says how many others there are.
func (o Objects) Names(ctx context.Context, path string, most int) (names []string, more int, err error) {
	var list struct {
		Metadata struct{ RemainingItemCount int }
		Items    []struct{ Metadata Object }
	}
	err = o.call(ctx, http.MethodGet, fmt.Sprintf("%s?limit=%d", path, most), nil, &list)
	for _, item := range list.Items {
		names = append(names, item.Metadata.Name)
	}
	return names, list.Metadata.RemainingItemCount, err
}

// A Pod is one that runs, and the node that it is on.
type Pod struct{ Namespace, Name, UID, Node string }

// Pods are the running pods of a namespace that a query selects, such as labelSelector=app%3Dweb.
func (o Objects) Pods(ctx context.Context, namespace string, query url.Values) (pods []Pod, err error) {
	const pageSize = "100"
	query.Set("limit", pageSize)
	for {
		var list struct {
			Metadata struct{ Continue string }
			Items    []struct {
				Metadata struct{ Name, UID, DeletionTimestamp string }
				Spec     struct{ NodeName string }
				Status   struct{ Phase string }
			}
		}
		if err := o.call(ctx, http.MethodGet, PodPath(namespace, "")+"?"+query.Encode(), nil, &list); err != nil {
			return nil, err
		}
		for _, pod := range list.Items {
			if pod.Status.Phase == "Running" && pod.Metadata.DeletionTimestamp == "" {
				pods = append(pods, Pod{namespace, pod.Metadata.Name, pod.Metadata.UID, pod.Spec.NodeName})
			}
		}
		if list.Metadata.Continue == "" {
			return pods, nil
		}
		query.Set("continue", list.Metadata.Continue)
	}
}

// DeploymentSelector is how a deployment selects its pods, as a labelSelector of a query; ErrNoObject: there is none.
func (o Objects) DeploymentSelector(ctx context.Context, namespace, name string) (string, error) {
	var got struct {
		Spec struct{ Selector *metav1.LabelSelector }
	}
	err := o.call(ctx, http.MethodGet, "/apis/apps/v1/namespaces/"+url.PathEscape(namespace)+"/deployments"+below(name), nil, &got)
	if err != nil {
		return "", err
	}
	selector, err := metav1.LabelSelectorAsSelector(got.Spec.Selector)
	if err == nil && selector.Empty() {
		err = fmt.Errorf("the deployment %s selects every pod", name)
	}
	if err != nil {
		return "", err
	}
	return selector.String(), nil
}

// Delete deletes the object at a path that has a UID, after a grace period in seconds; nil: its own. The error is ErrNoObject where
// there is none.
func (o Objects) Delete(ctx context.Context, path, uid string, grace *int) error {
	options, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": grace,
		"preconditions": map[string]string{"uid": uid}})
	if err != nil {
		return err
	}
	var done struct{}
	return o.call(ctx, http.MethodDelete, path, options, &done)
}

// Allowed says whether whoever asks may do something, such as update, to a resource of a namespace, such as pods/ephemeralcontainers.
func (o Objects) Allowed(ctx context.Context, namespace, verb, resource string) (bool, error) {
	resource, subresource, _ := strings.Cut(resource, "/")
	question, err := json.Marshal(map[string]any{"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
		"spec": map[string]any{"resourceAttributes": map[string]string{"namespace": namespace, "verb": verb, "resource": resource,
			"subresource": subresource}}})
	if err != nil {
		return false, err
	}
	var answer struct{ Status struct{ Allowed bool } }
	err = o.call(ctx, http.MethodPost, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", question, &answer)
	return answer.Status.Allowed, err
}

// mostObject is how large an answer may be: etcd takes no object beyond 1.5 MiB.
const mostObject = 4 << 20

func (o Objects) call(ctx context.Context, method, path string, body []byte, out any) error {
	request, err := http.NewRequestWithContext(ctx, method, o.URL+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Accept", "application/json")
	switch {
	case method == http.MethodPatch:
		request.Header.Set("Content-Type", "application/merge-patch+json")
	case body != nil:
		request.Header.Set("Content-Type", "application/json")
	}
	for i, who := range o.as {
		if i == 0 {
			request.Header.Set("Impersonate-User", who)
		} else {
			request.Header.Add("Impersonate-Group", who)
		}
	}
	response, err := o.Client.Do(request)
	if err != nil {
		return fmt.Errorf("the API server does not answer: %w", cause(err))
	}
	defer response.Body.Close()
	decoder := json.NewDecoder(io.LimitReader(response.Body, mostObject))
	if response.StatusCode == http.StatusOK || response.StatusCode == http.StatusCreated {
		return decoder.Decode(out)
	}
	var status struct{ Message string }
	if decoder.Decode(&status) != nil || status.Message == "" {
		status.Message = response.Status
	}
	switch response.StatusCode {
	case http.StatusNotFound, http.StatusConflict: // also of an object that has another UID
		return fmt.Errorf("%w: %s", ErrNoObject, status.Message)
	case http.StatusForbidden:
		return fmt.Errorf("%w: %s", ErrForbidden, status.Message)
	}
	return fmt.Errorf("the API server refuses it: %s", status.Message)
}

// cause is what is behind an error of an http.Client, which names the URL.
func cause(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}
