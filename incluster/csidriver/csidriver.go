// Package csidriver is what the CSI drivers that EKS has as add-ons share: how they are registered on nodes, how external-provisioner
// makes volumes for them, and how they work off what has changed.
package csidriver

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"text/template"
	"time"

	"github.com/aws/smithy-go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"

	"tripod/incluster/addons"
)

// How the sidecars try again: their default flags.
const (
	FirstRetry = time.Second
	LastRetry  = 5 * time.Minute
)

// RPC is an error of a driver as gRPC has it, which is how it reaches the sidecars and the events.
func RPC(code codes.Code, format string, args ...any) error {
	return status.Errorf(code, format, args...)
}

// HasCode says whether an error is an AWS service's with one of the codes.
func HasCode(err error, codes ...string) bool {
	var e smithy.APIError
	if !errors.As(err, &e) {
		return false
	}
	for _, code := range codes {
		if e.ErrorCode() == code {
			return true
		}
	}
	return false
}

// Get is an object of an informer's, as it is known.
func Get[T any](informer cache.SharedIndexInformer, name string) (T, bool) {
	var none T
	o, found, err := informer.GetStore().GetByKey(name)
	if err != nil || !found {
		return none, false
	}
	typed, is := o.(T)
	return typed, is
}

// Lean drops what nobody reads: an informer's transformation.
func Lean(value any) (any, error) {
	if o, is := value.(metav1.Object); is {
		o.SetManagedFields(nil)
	}
	return value, nil
}

// Provision runs external-provisioner for a driver until running ends, in done.
func Provision(running context.Context, client kubernetes.Interface, driver string, p controller.Provisioner, done *sync.WaitGroup,
	claims, volumes, classes cache.SharedIndexInformer, options ...func(*controller.ProvisionController) error) {
	provisioner := controller.NewProvisionController(running, client, driver, p, append(options,
		controller.LeaderElection(false), controller.MetricsPort(0), controller.AddFinalizer(true), controller.ClaimsInformer(claims),
		controller.VolumesInformer(volumes), controller.ClassesInformer(classes),
		controller.RateLimiter(workqueue.NewTypedItemExponentialFailureRateLimiter[string](FirstRetry, LastRetry)),
		controller.FailedProvisionThreshold(0), controller.FailedDeleteThreshold(0))...)
	provisioner.ControllerWaitGroup(done)
	done.Go(func() { provisioner.Run(running) })
}

// Render makes objects of a manifest of an add-on's.
func Render(name, manifest string, o addons.Options, version, roleARN string) ([]*unstructured.Unstructured, error) {
	text, err := template.New(name).Parse(manifest)
	if err != nil {
		return nil, err
	}
	var rendered bytes.Buffer
	err = text.Execute(&rendered, map[string]string{"RoleARN": roleARN, "Registry": addons.Registry(o.Region),
		"Version": addons.ImageVersion(version), "Cluster": o.ClusterName})
	if err != nil {
		return nil, err
	}
	return addons.Parse(name, rendered.String())
}
