// Package awsauth edits the ConfigMap aws-auth as EKS does for the roles of nodes.
package awsauth

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/yaml"
)

const (
	name     = "aws-auth"
	mapRoles = "mapRoles"
)

// Kind is what a role's nodes are.
type Kind string

// The kinds of nodes' roles.
const (
	Linux   Kind = "Linux"
	Windows Kind = "Windows"
	Fargate Kind = "Fargate"
)

// Map is the ConfigMap of a cluster.
type Map struct{ Client kubernetes.Interface }

// mapped is an entry of mapRoles. Others' members are kept.
type mapped map[string]any

// named is a role's ARN without its path, as aws-auth knows roles.
func named(roleARN string) string {
	prefix, path, found := strings.Cut(roleARN, ":role/")
	if !found {
		return roleARN
	}
	return prefix + ":role/" + path[strings.LastIndexByte(path, '/')+1:]
}

func (m mapped) is(roleARN string) bool {
	arn, _ := m["rolearn"].(string)
	return arn == named(roleARN)
}

// roles are the entries of mapRoles; a text that is no list is an error.
func roles(config *corev1.ConfigMap) (all []mapped, err error) {
	if err := yaml.Unmarshal([]byte(config.Data[mapRoles]), &all); err != nil {
		return nil, fmt.Errorf("%s of the ConfigMap %s: %w", mapRoles, name, err)
	}
	return all, nil
}

// Has says whether aws-auth maps the role.
func (m Map) Has(ctx context.Context, roleARN string) (bool, error) {
	config, err := m.Client.CoreV1().ConfigMaps(metav1.NamespaceSystem).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	all, err := roles(config)
	return err == nil && slices.ContainsFunc(all, func(one mapped) bool { return one.is(roleARN) }), nil
}

// entryOf is the text of a node role's entry, as EKS writes it.
func entryOf(roleARN string, kind Kind) string {
	groups, session := "  - system:bootstrappers\n  - system:nodes\n", "EC2PrivateDNSName"
	switch kind {
	case Windows:
		groups += "  - eks:kube-proxy-windows\n"
	case Fargate:
		groups, session = groups+"  - system:node-proxier\n", "SessionName"
	}
	return "- groups:\n" + groups + "  rolearn: " + named(roleARN) + "\n  username: system:node:{{" + session + "}}\n"
}

// Add has aws-auth map the role to nodes, if it does not map it already. What is there stays as it is.
func (m Map) Add(ctx context.Context, roleARN string, kind Kind) error {
	return m.edit(ctx, func(config *corev1.ConfigMap) (bool, error) {
		all, err := roles(config)
		if err != nil || slices.ContainsFunc(all, func(m mapped) bool { return m.is(roleARN) }) {
			return false, err
		}
		text := config.Data[mapRoles]
		if len(all) == 0 { // such as []
			text = ""
		} else if !strings.HasSuffix(text, "\n") {
			text += "\n"
		}
		entry := entryOf(roleARN, kind)
		merged := &corev1.ConfigMap{Data: map[string]string{mapRoles: text + entry}}
		if both, err := roles(merged); err != nil || len(both) != len(all)+1 { // a list that is indented, or in one line
			rest, err := yaml.Marshal(all)
			if err != nil {
				return false, err
			}
			merged.Data[mapRoles] = string(rest) + entry
		}
		config.Data[mapRoles] = merged.Data[mapRoles]
		return true, nil
	})
}

// Remove takes a role that was mapped to nodes from aws-auth.
func (m Map) Remove(ctx context.Context, roleARN string) error {
	return m.edit(ctx, func(config *corev1.ConfigMap) (bool, error) {
		all, err := roles(config)
		if err != nil {
			return false, err
		}
		left := slices.DeleteFunc(slices.Clone(all), func(m mapped) bool { return m.is(roleARN) })
		if len(left) == len(all) {
			return false, nil
		}
		text, err := yaml.Marshal(left)
		config.Data[mapRoles] = string(text)
		return true, err
	})
}

// edit changes aws-auth, or makes it, where change says that it has changed something.
func (m Map) edit(ctx context.Context, change func(*corev1.ConfigMap) (bool, error)) error {
	api := m.Client.CoreV1().ConfigMaps(metav1.NamespaceSystem)
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		config, err := api.Get(ctx, name, metav1.GetOptions{})
		absent := apierrors.IsNotFound(err)
		switch {
		case absent:
			config = &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: metav1.NamespaceSystem}}
		case err != nil:
			return err
		}
		if config.Data == nil {
			config.Data = map[string]string{}
		}
		changed, err := change(config)
		if err != nil || !changed {
			return err
		}
		if absent {
			_, err = api.Create(ctx, config, metav1.CreateOptions{})
			if apierrors.IsAlreadyExists(err) { // somebody else made it meanwhile: once more
				return apierrors.NewConflict(corev1.Resource("configmaps"), name, err)
			}
			return err
		}
		_, err = api.Update(ctx, config, metav1.UpdateOptions{})
		return err
	})
}
