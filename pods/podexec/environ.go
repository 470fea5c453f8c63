package podexec

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/kubernetes/third_party/forked/golang/expansion"

	"tripod/nodes/podvolume"
	"tripod/pods/podidentity"
)

// foreign are variables of the user's own shell that would give the command another identity than the pod's.
var foreign = []string{
	"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_PROFILE",
	"AWS_DEFAULT_PROFILE", "AWS_ROLE_ARN",
	"AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE", podidentity.CredentialsURIEnv, podidentity.TokenFileEnv,
	"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN", "KUBECONFIG",
}

// environ is the command's environment: the user's without what is foreign, what a kubelet and a node would say, and of
// the container's own what the command may have. agent is where credentials of EKS Pod Identity are.
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
	} {
		vars.set(v[0], v[1])
	}
	service := serviceVariables(server)
	for _, name := range slices.Sorted(maps.Keys(service)) {
		vars.set(name, service[name])
	}
	if p.vars, err = p.variables(ctx, service, agent); err != nil {
		return nil, err
	}
	var withheld []string
	for _, name := range slices.Sorted(maps.Keys(p.vars)) {
		switch {
		case p.takes(name, p.vars[name], service, agent):
			vars.set(name, p.vars[name])
		case !slices.Contains(p.options.Env, EnvNone): // who asked for none is told nothing new
			withheld = append(withheld, name)
		}
	}
	tellWithheld(p.options.Stderr, withheld)
	return vars.list()
}

// serviceVariables are those of the service `kubernetes`: named as in every pod, and leading to the cluster's endpoint.
func serviceVariables(server *url.URL) map[string]string {
	const port = "KUBERNETES_PORT_443_TCP"
	return map[string]string{
		"KUBERNETES_SERVICE_HOST": server.Hostname(), "KUBERNETES_SERVICE_PORT": server.Port(),
		"KUBERNETES_SERVICE_PORT_HTTPS": server.Port(),
		"KUBERNETES_PORT":               "tcp://" + server.Host, port: "tcp://" + server.Host, port + "_PROTO": "tcp",
		port + "_PORT": server.Port(), port + "_ADDR": server.Hostname(),
	}
}

// variables are the container's own, made as the kubelet's makeEnvironmentVariables does: env over envFrom, later over
// earlier, and $(NAME) stands for what is there already, of the container or of a service.
func (p *pod) variables(ctx context.Context, service map[string]string, agent string) (map[string]string, error) {
	vars, err := p.variablesFrom(ctx)
	if err != nil {
		return nil, err
	}
	for name, value := range vars {
		vars[name] = p.here(name, value, agent)
	}
	mapping := expansion.MappingFuncFor(vars, service)
	for _, e := range p.container.Env {
		value, ok := expansion.Expand(e.Value, mapping), true
		if e.Value == "" && e.ValueFrom != nil {
			if value, ok, err = p.value(ctx, *e.ValueFrom); err != nil {
				return nil, fmt.Errorf("variable %s: %w", e.Name, err)
			}
		}
		if ok {
			vars[e.Name] = p.here(e.Name, value, agent)
		}
	}
	return vars, nil
}

// here is what a value means on this machine.
func (p *pod) here(name, value, agent string) string {
	switch {
	case name == podidentity.CredentialsURIEnv && value == podidentity.CredentialsURI:
		return agent // SDKs ask loopback, or the agent's own addresses, which this machine has not
	case p.options.NoMounts && strings.HasPrefix(value, secretsDir+"/"):
		return p.local(value)
	}
	return value
}

// variablesFrom are those of the container's envFrom.
func (p *pod) variablesFrom(ctx context.Context) (map[string]string, error) {
	vars := map[string]string{}
	for _, from := range p.container.EnvFrom {
		var (
			o        podvolume.Object
			optional *bool
			err      error
		)
		switch {
		case from.ConfigMapRef != nil:
			optional = from.ConfigMapRef.Optional
			o, err = p.ConfigMap(ctx, from.ConfigMapRef.Name)
		case from.SecretRef != nil:
			optional = from.SecretRef.Optional
			o, err = p.Secret(ctx, from.SecretRef.Name)
		}
		if err == nil {
			err = o.Missing(optional)
		}
		if err != nil {
			return nil, fmt.Errorf("envFrom of container %s: %w", p.container.Name, err)
		}
		for key, value := range o.Text {
			vars[from.Prefix+key] = value
		}
	}
	return vars, nil
}

// value is what valueFrom says; ok is false for what is optional and not there.
func (p *pod) value(ctx context.Context, from corev1.EnvVarSource) (value string, ok bool, err error) {
	switch {
	case from.FieldRef != nil:
		value, err = p.field(from.FieldRef.FieldPath)
		return value, true, err
	case from.ResourceFieldRef != nil:
		value, err = p.resource(ctx, from.ResourceFieldRef)
		return value, true, err
	case from.ConfigMapKeyRef != nil:
		o, err := p.ConfigMap(ctx, from.ConfigMapKeyRef.Name)
		if err != nil {
			return "", false, err
		}
		return o.Entry(o.Text, from.ConfigMapKeyRef.Key, from.ConfigMapKeyRef.Optional)
	case from.SecretKeyRef != nil:
		o, err := p.Secret(ctx, from.SecretKeyRef.Name)
		if err != nil {
			return "", false, err
		}
		return o.Entry(o.Text, from.SecretKeyRef.Key, from.SecretKeyRef.Optional)
	case from.FileKeyRef != nil && from.FileKeyRef.Optional != nil && *from.FileKeyRef.Optional:
		return "", false, nil
	case from.FileKeyRef != nil:
		return "", false, fmt.Errorf("file %s of volume %s is for another container to write, and none runs",
			from.FileKeyRef.Path, from.FileKeyRef.VolumeName)
	}
	return "", true, nil
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

func (v *variables) list() ([]string, error) {
	list := make([]string, len(v.names))
	for i, name := range v.names {
		if strings.ContainsRune(v.values[name], 0) {
			return nil, fmt.Errorf("variable %s: its value holds a NUL, which no process can be given", name)
		}
		list[i] = name + "=" + v.values[name]
	}
	return list, nil
}
