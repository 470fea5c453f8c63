package addons

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"text/template"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"tripod/internal/addonversions"
	"tripod/internal/partition"
	"tripod/internal/sleep"
)

// FieldManager owns what Apply writes.
const FieldManager = "eks"

// Options say which cluster it is.
type Options struct {
	ClusterName string
	ClusterID   string
	Region      string       // the images are in this region's registry
	AccountID   string       // of the cluster's owner
	Version     string       // "1.36"
	ServiceCIDR netip.Prefix // 10.100.0.0/16; CoreDNS has the tenth address
	Endpoint    string       // https URL that kube-proxy is told; empty means "https://kubernetes.default.svc"
	Bare        bool         // without coredns, kube-proxy and aws-node
	NodeRoleARN string       // of the nodes, for the ConfigMap aws-auth; empty: none is written (mode API, or no nodes)
}

//go:embed manifests/*.yaml
var manifests embed.FS

// registryAccount is the account of EKS's images in most regions.
const registryAccount = "602401143452"

// images of the add-ons, as tags.
type images struct {
	CoreDNS, KubeProxy, CNI, NetworkPolicyAgent string
}

// imagesOf has the add-ons' default versions for a Kubernetes minor version ("1.36"): as on EKS the images' tags are
// the add-ons' versions.
func imagesOf(version string) images {
	minor, _ := strconv.Atoi(strings.TrimPrefix(version, "1."))
	return images{
		CoreDNS:            addonversions.Default("coredns", minor),
		KubeProxy:          addonversions.Default("kube-proxy", minor),
		CNI:                addonversions.Default("vpc-cni", minor),
		NetworkPolicyAgent: "v1.3.1-eksbuild.1",
	}
}

// DNSAddress is the address of the DNS service in a range of service addresses: its tenth.
func DNSAddress(services netip.Prefix) netip.Addr {
	address := services.Masked().Addr()
	for range 10 {
		address = address.Next()
	}
	return address
}

// Render returns the objects that Apply writes.
func Render(o Options) ([]*unstructured.Unstructured, error) {
	if !o.ServiceCIDR.Addr().Is4() || o.Version == "" || o.Region == "" {
		return nil, errors.New("addons need a region, a version like 1.36, and an IPv4 service CIDR")
	}
	if o.Endpoint == "" {
		o.Endpoint = "https://kubernetes.default.svc"
	}
	tags := imagesOf(o.Version)
	cniVersion, _, _ := strings.Cut(tags.CNI, "-")
	values := struct {
		Options
		DNSAddress netip.Addr
		Registry   string
		Images     images
		CNIVersion string
	}{o, DNSAddress(o.ServiceCIDR), Registry(o.Region), tags, cniVersion}

	all, err := template.ParseFS(manifests, "manifests/*.yaml")
	if err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	for _, file := range all.Templates() {
		if o.Bare && slices.Contains([]string{"aws-node.yaml", "coredns.yaml", "kube-proxy.yaml"}, file.Name()) {
			continue
		}
		var text bytes.Buffer
		if err := file.Execute(&text, values); err != nil {
			return nil, err
		}
		own, err := Parse(file.Name(), text.String())
		if err != nil {
			return nil, err
		}
		objects = append(objects, own...)
	}
	return objects, nil
}

// Registry is where a region's images of EKS are.
func Registry(region string) string {
	return registryAccount + ".dkr.ecr." + region + "." + partition.Of(region).Domain
}

// ImageVersion is the tag of an add-on's image that is upstream's own: v1.59.0 of v1.59.0-eksbuild.1.
func ImageVersion(addonVersion string) string {
	own, _, _ := strings.Cut(addonVersion, "-")
	return own
}

// Parse reads the objects of a manifest.
func Parse(name, text string) (objects []*unstructured.Unstructured, err error) {
	for _, document := range strings.Split(text, "\n---\n") {
		object := &unstructured.Unstructured{}
		if err := yaml.UnmarshalStrict([]byte(document), &object.Object); err != nil {
			return nil, fmt.Errorf("manifest %s: %w", name, err)
		}
		objects = append(objects, object)
	}
	return objects, nil
}

// parallel requests: the cluster is busy with its own start when the add-ons come.
const parallel = 4

// Retries of one object: a namespace that is not there yet, another zone that writes the same, a server that starts.
const (
	attempts   = 10
	firstPause = 50 * time.Millisecond
	lastPause  = time.Second
)

// Apply writes the objects to the cluster that conf leads to, as its administrator (system:masters). It can be
// repeated, and done by several at once. What fails for a passing reason is tried again for some seconds; the error
// then names each object that could not be written.
func Apply(ctx context.Context, conf *rest.Config, o Options) error {
	objects, err := Render(o)
	if err != nil {
		return fmt.Errorf("render add-ons: %w", err)
	}
	return Write(ctx, conf, objects)
}

// Write writes objects to the cluster, as Apply does its own.
func Write(ctx context.Context, conf *rest.Config, objects []*unstructured.Unstructured) error {
	return each(ctx, conf, objects, "apply", applyOne)
}

// Remove deletes objects from the cluster. Those that are not there are no error.
func Remove(ctx context.Context, conf *rest.Config, objects []*unstructured.Unstructured) error {
	return each(ctx, conf, objects, "delete", deleteOne)
}

func deleteOne(ctx context.Context, client *rest.RESTClient, object *unstructured.Unstructured) error {
	path, err := pathOf(object)
	if err != nil {
		return err
	}
	err = client.Delete().AbsPath(path).Body(&metav1.DeleteOptions{PropagationPolicy: new(metav1.DeletePropagationBackground)}).
		Do(ctx).Error()
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// each does something with all objects, some at once.
func each(ctx context.Context, conf *rest.Config, objects []*unstructured.Unstructured, verb string,
	do func(context.Context, *rest.RESTClient, *unstructured.Unstructured) error) error {
	conf = rest.CopyConfig(conf)
	conf.QPS = -1
	if conf.Timeout == 0 {
		conf.Timeout = 10 * time.Second
	}
	client, err := newClient(conf)
	if err != nil {
		return fmt.Errorf("client of add-ons: %w", err)
	}
	defer client.Client.CloseIdleConnections()

	work := make(chan *unstructured.Unstructured)
	var group sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	for range parallel {
		group.Go(func() {
			for object := range work {
				if err := do(ctx, client, object); err != nil {
					mu.Lock()
					errs = append(errs, fmt.Errorf("%s %s %s: %w", verb, object.GetKind(), object.GetName(), err))
					mu.Unlock()
				}
			}
		})
	}
	for _, object := range objects {
		work <- object
	}
	close(work)
	group.Wait()
	return errors.Join(errs...)
}

func newClient(conf *rest.Config) (*rest.RESTClient, error) {
	return rest.UnversionedRESTClientFor(unversioned(conf))
}

// applyOne writes one object.
func applyOne(ctx context.Context, client *rest.RESTClient, object *unstructured.Unstructured) error {
	path, err := pathOf(object)
	if err != nil {
		return err
	}
	body, err := object.MarshalJSON()
	if err != nil {
		return err
	}
	query := url.Values{"fieldManager": {FieldManager}, "force": {"false"}}
	for attempt, pause := 1, firstPause; ; attempt, pause = attempt+1, min(2*pause, lastPause) {
		request := client.Patch(types.ApplyPatchType).AbsPath(path).Body(body)
		for name, values := range query {
			request.Param(name, values[0])
		}
		err := request.Do(ctx).Error()
		if err == nil || changedByUser(err) {
			return nil
		}
		// Another zone that makes a service at this moment has allocated its fixed address, not written it yet.
		again := passing(err) || object.GetKind() == "Service" && apierrors.IsInvalid(err)
		if attempt == attempts || !again || sleep.For(ctx, pause) != nil {
			return err
		}
	}
}

// changedByUser is true when somebody else owns a field with another value.
func changedByUser(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil {
		return false
	}
	for _, cause := range status.Status().Details.Causes {
		if cause.Type == metav1.CauseTypeFieldManagerConflict {
			return true
		}
	}
	return false
}

// passing is true of errors that go away by themselves: also 404, the namespace kube-system being made by the API
// server after its start, and 403, its RBAC.
func passing(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return true // no answer at all
	}
	switch code := int(status.Status().Code); code {
	case http.StatusConflict, http.StatusNotFound, http.StatusForbidden, http.StatusTooManyRequests:
		return true
	default:
		return code >= 500
	}
}
