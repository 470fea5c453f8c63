package podexec

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tripod/nodes/podvolume"
)

// ConfigMap is one of the pod's namespace.
func (p *pod) ConfigMap(ctx context.Context, name string) (podvolume.Object, error) {
	return p.read(ctx, "ConfigMap", name, func() (podvolume.Object, error) {
		made, err := p.client.CoreV1().ConfigMaps(p.object.Namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return podvolume.Object{}, err
		}
		return podvolume.OfConfigMap(made), nil
	})
}

// Secret is one of the pod's namespace.
func (p *pod) Secret(ctx context.Context, name string) (podvolume.Object, error) {
	return p.read(ctx, "Secret", name, func() (podvolume.Object, error) {
		made, err := p.client.CoreV1().Secrets(p.object.Namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return podvolume.Object{}, err
		}
		return podvolume.OfSecret(made), nil
	})
}

// TrustBundles are those that a projection names or selects.
func (p *pod) TrustBundles(ctx context.Context, want *corev1.ClusterTrustBundleProjection) (bundles []string, err error) {
	err = again(ctx, func() error {
		bundles, err = podvolume.TrustBundles(ctx, p.client.CertificatesV1().ClusterTrustBundles(), want)
		return err
	})
	return bundles, err
}

// Credentials are the node's to have made.
func (p *pod) Credentials(context.Context, string, int) (key, certificates string, err error) {
	return "", "", errors.New("only nodes ask for one")
}

// read gets an object, once. That there is none is no error: see Object.Missing.
func (p *pod) read(ctx context.Context, kind, name string, get func() (podvolume.Object, error)) (podvolume.Object, error) {
	full := fmt.Sprintf("%s %s/%s", kind, p.object.Namespace, name)
	if known, ok := p.objects[full]; ok {
		return known, nil
	}
	var o podvolume.Object
	err := again(ctx, func() (err error) {
		o, err = get()
		return err
	})
	if err != nil && !apierrors.IsNotFound(err) {
		return podvolume.Object{}, fmt.Errorf("read %s: %w", full, err)
	}
	o.Name = full
	if p.objects == nil {
		p.objects = map[string]podvolume.Object{}
	}
	p.objects[full] = o
	return o, nil
}
