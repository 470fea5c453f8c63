package podexec

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// object is a ConfigMap or a Secret that the pod names.
type object struct {
	name  string // "ConfigMap default/levels"
	found bool
	text  map[string]string // what variables can have
	files map[string]string // what volumes can have: a ConfigMap's binary data, too
}

// entry is one key's; ok is false for one that is optional and not there.
func (o object) entry(in map[string]string, key string, optional *bool) (value string, ok bool, err error) {
	if value, ok = in[key]; ok {
		return value, true, nil
	}
	if err := o.missing(optional); err != nil || isTrue(optional) {
		return "", false, err
	}
	return "", false, fmt.Errorf("%s has no key %q", o.name, key)
}

// missing is the error of an object that is not there and should be.
func (o object) missing(optional *bool) error {
	if o.found || isTrue(optional) {
		return nil
	}
	return fmt.Errorf("there is no %s", o.name)
}

func isTrue(b *bool) bool { return b != nil && *b }

func (p *pod) configMap(ctx context.Context, name string) (object, error) {
	return p.read(ctx, "ConfigMap", name, func(o *object) error {
		made, err := p.client.CoreV1().ConfigMaps(p.object.Namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		o.text, o.files = made.Data, map[string]string{}
		for key, value := range made.Data {
			o.files[key] = value
		}
		for key, value := range made.BinaryData {
			o.files[key] = string(value)
		}
		return nil
	})
}

func (p *pod) secret(ctx context.Context, name string) (object, error) {
	return p.read(ctx, "Secret", name, func(o *object) error {
		made, err := p.client.CoreV1().Secrets(p.object.Namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		o.text = map[string]string{}
		for key, value := range made.Data {
			o.text[key] = string(value)
		}
		o.files = o.text
		return nil
	})
}

// read gets an object, once. That there is none is no error: see missing.
func (p *pod) read(ctx context.Context, kind, name string, get func(*object) error) (object, error) {
	o := object{name: fmt.Sprintf("%s %s/%s", kind, p.object.Namespace, name)}
	if known, ok := p.objects[o.name]; ok {
		return known, nil
	}
	err := again(ctx, func() error { return get(&o) })
	if err != nil && !apierrors.IsNotFound(err) {
		return object{}, fmt.Errorf("read %s: %w", o.name, err)
	}
	o.found = err == nil
	if p.objects == nil {
		p.objects = map[string]object{}
	}
	p.objects[o.name] = o
	return o, nil
}
