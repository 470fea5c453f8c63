package podexec

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tripod/podidentity"
)

// foreign are variables of the user's own shell that would give the command another identity than the pod's.
var foreign = []string{
	"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ROLE_ARN",
	"AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE", podidentity.CredentialsURIEnv, podidentity.TokenFileEnv,
	"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN", "KUBECONFIG",
}

// environ is the command's environment: the user's without what is foreign, what a kubelet and a node would say, and the container's own.
// agent is where credentials of EKS Pod Identity are.
func (p *pod) environ(ctx context.Context, agent string) ([]string, error) {
	server, err := url.Parse(p.server)
	if err != nil {
		return nil, err
	}
	vars := variables{}
	for _, entry := range p.options.Environ {
		if name, value, _ := strings.Cut(entry, "="); !slices.Contains(foreign, name) {
			vars.set(name, value)
		}
	}
	for _, v := range [][2]string{
		// The user's own files must not count, nor a cloud that this machine may be in.
		{"AWS_CONFIG_FILE", "/dev/null"}, {"AWS_SHARED_CREDENTIALS_FILE", "/dev/null"}, {"AWS_EC2_METADATA_DISABLED", "true"},
		{"KUBECONFIG", p.kubeconfigFile()},
		{"KUBERNETES_SERVICE_HOST", server.Hostname()}, {"KUBERNETES_SERVICE_PORT", server.Port()}, {"KUBERNETES_SERVICE_PORT_HTTPS", server.Port()},
		{"KUBERNETES_PORT", "tcp://" + server.Host},
	} {
		vars.set(v[0], v[1])
	}
	for _, e := range p.container.Env {
		value, ok, err := p.value(ctx, e)
		if err != nil {
			return nil, fmt.Errorf("variable %s of the pod: %w", e.Name, err)
		}
		switch {
		case !ok:
			continue
		case e.Name == podidentity.CredentialsURIEnv && value == podidentity.CredentialsURI:
			value = agent // SDKs ask loopback, or the agent's own addresses, which this machine has not
		case p.options.NoMounts && strings.HasPrefix(value, secretsDir+"/"):
			value = p.local(value)
		}
		vars.set(e.Name, value)
	}
	return vars.list(), nil
}

// value is a variable's; ok is false for one that is optional and not there, or of a kind that means nothing here (a container's resources).
func (p *pod) value(ctx context.Context, e corev1.EnvVar) (value string, ok bool, err error) {
	from := e.ValueFrom
	switch {
	case from == nil:
		return e.Value, true, nil
	case from.FieldRef != nil:
		return p.field(from.FieldRef.FieldPath), true, nil
	case from.ConfigMapKeyRef != nil:
		object, err := p.client.CoreV1().ConfigMaps(p.object.Namespace).Get(ctx, from.ConfigMapKeyRef.Name, metav1.GetOptions{})
		if err == nil {
			value, ok = object.Data[from.ConfigMapKeyRef.Key]
		}
		return value, ok, missing(ok, from.ConfigMapKeyRef.Optional, from.ConfigMapKeyRef.Key, err)
	case from.SecretKeyRef != nil:
		object, err := p.client.CoreV1().Secrets(p.object.Namespace).Get(ctx, from.SecretKeyRef.Name, metav1.GetOptions{})
		if err == nil {
			var raw []byte
			raw, ok = object.Data[from.SecretKeyRef.Key]
			value = string(raw)
		}
		return value, ok, missing(ok, from.SecretKeyRef.Optional, from.SecretKeyRef.Key, err)
	}
	return "", false, nil
}

func missing(found bool, optional *bool, key string, err error) error {
	switch {
	case found || optional != nil && *optional:
		return nil
	case err != nil:
		return err
	}
	return fmt.Errorf("there is no key %q", key)
}

// variables are an environment in which a name stands once.
type variables struct {
	names  []string
	values map[string]string
}

func (v *variables) set(name, value string) {
	if v.values == nil {
		v.values = map[string]string{}
	}
	if _, ok := v.values[name]; !ok {
		v.names = append(v.names, name)
	}
	v.values[name] = value
}

func (v *variables) list() []string {
	list := make([]string, len(v.names))
	for i, name := range v.names {
		list[i] = name + "=" + v.values[name]
	}
	return list
}
