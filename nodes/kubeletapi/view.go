package kubeletapi

import (
	"context"
	"errors"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/kubernetes/third_party/forked/golang/expansion"

	"tripod/nodes/podcmd"
	"tripod/nodes/podset"
	"tripod/nodes/podvolume"
)

// Source is where a pod's kubelet reads what its containers see.
type Source interface {
	podvolume.Source
	// Token is one of the pod's service account.
	Token(ctx context.Context, want corev1.ServiceAccountTokenProjection) (string, error)
}

// view is what a container sees: its variables and its files, as what they are made of is now. What has been read once
// stays so until look: a script may ask for it in a loop.
type view struct {
	ctx       context.Context
	node      Node
	pod       *corev1.Pod
	container *corev1.Container
	source    Source // nil: nobody can be asked

	env     []string
	volumes map[string]podvolume.Content // that have been read, by name
	files   map[string]string            // tokens that have been asked for, by path
}

func (a *API) view(ctx context.Context, n Node, pod *corev1.Pod, c *corev1.Container) *view {
	v := &view{ctx: ctx, node: n, pod: pod, container: c, volumes: map[string]podvolume.Content{}, files: map[string]string{}}
	if a.conf.Source != nil {
		v.source = a.conf.Source(pod)
	}
	v.env = v.environment()
	return v
}

// Env are a container's variables, as NAME=value.
func (a *API) Env(ctx context.Context, pod *corev1.Pod, c *corev1.Container) []string {
	n, _ := a.conf.Node(pod.Spec.NodeName)
	return a.view(ctx, n, pod, c).env
}

// look forgets what has been read of volumes, as a kubelet writes their files anew. Tokens are good for longer.
func (v *view) look() { clear(v.volumes) }

// environment is the container's, as NAME=value, as the kubelet's makeEnvironmentVariables has it: env over envFrom, later
// over earlier. What cannot be had is left out.
func (v *view) environment() []string {
	list := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOSTNAME=" + podset.Hostname(v.pod),
		"HOME=/root", "KUBERNETES_SERVICE_HOST=10.100.0.1", "KUBERNETES_SERVICE_PORT=443"}
	if dns, ok := strings.CutSuffix(v.node.dns(), ".10"); ok {
		list[3] = "KUBERNETES_SERVICE_HOST=" + dns + ".1"
	}
	known := map[string]string{}
	set := func(name, value string) {
		if _, again := known[name]; again {
			list = slices.DeleteFunc(list, func(entry string) bool { return strings.HasPrefix(entry, name+"=") })
		}
		known[name] = value
		list = append(list, name+"="+value)
	}
	for _, from := range v.container.EnvFrom {
		o, err := v.object(from.ConfigMapRef, from.SecretRef)
		if err != nil {
			continue
		}
		for name, value := range o.Text {
			set(from.Prefix+name, value)
		}
	}
	for _, e := range v.container.Env {
		value, err := expansion.Expand(e.Value, expansion.MappingFuncFor(known)), error(nil)
		if e.ValueFrom != nil {
			value, err = v.valueFrom(e.ValueFrom)
		}
		if err == nil {
			set(e.Name, value)
		}
	}
	return list
}

// errUnknown is why something has no value: nobody can be asked, or it is not there.
var errUnknown = errors.New("not known")

func (v *view) object(configMap *corev1.ConfigMapEnvSource, secret *corev1.SecretEnvSource) (podvolume.Object, error) {
	switch {
	case v.source == nil:
	case configMap != nil:
		return v.source.ConfigMap(v.ctx, configMap.Name)
	case secret != nil:
		return v.source.Secret(v.ctx, secret.Name)
	}
	return podvolume.Object{}, errUnknown
}

func (v *view) valueFrom(from *corev1.EnvVarSource) (value string, err error) {
	var o podvolume.Object
	key := ""
	switch {
	case from.FieldRef != nil:
		return podset.Field(v.pod, &v.pod.Status, from.FieldRef.FieldPath)
	case from.ResourceFieldRef != nil:
		return podset.Resource(v.pod, v.container, from.ResourceFieldRef,
			func() (corev1.ResourceList, error) { return v.node.Allocatable, nil })
	case from.ConfigMapKeyRef != nil:
		key = from.ConfigMapKeyRef.Key
		o, err = v.object(&corev1.ConfigMapEnvSource{LocalObjectReference: from.ConfigMapKeyRef.LocalObjectReference}, nil)
	case from.SecretKeyRef != nil:
		key = from.SecretKeyRef.Key
		o, err = v.object(nil, &corev1.SecretEnvSource{LocalObjectReference: from.SecretKeyRef.LocalObjectReference})
	}
	value, there := o.Text[key]
	if err == nil && !there {
		err = errUnknown
	}
	return value, err
}

// File is a file that the kubelet has made, or a directory: in a volume, or one of the few that every container has.
func (v *view) File(name string) (podcmd.File, bool) {
	file, err := v.read(name)
	return file, err == nil
}

// errNoFile is of a path where nothing is. Another error says that nobody can tell.
var errNoFile = errors.New("no such file or directory")

func (v *view) read(name string) (podcmd.File, error) {
	name = path.Clean(name)
	if at := v.mount(name); at != nil {
		return v.inVolume(at, name)
	}
	text := func(content string) (podcmd.File, error) { return podcmd.File{Content: content, Mode: 0o644}, nil }
	switch name {
	case "/etc/hostname":
		return text(podset.Hostname(v.pod) + "\n")
	case "/etc/hosts":
		return text(v.hosts())
	case "/etc/resolv.conf":
		return text(v.resolvConf())
	case "/dev/null":
		return text("")
	}
	return podcmd.File{}, errNoFile
}

// user is who the container runs as.
func (v *view) user() podcmd.User {
	uid, gid, groups := podset.User(v.pod, v.container)
	return podcmd.User{UID: uid, GID: gid, Groups: groups}
}

// hosts are a pod's /etc/hosts, as the kubelet writes it (managedHostsFileContent).
func (v *view) hosts() string {
	names, domain := podset.HostAndDomain(v.pod)
	if domain != "" {
		names = names + "." + domain + "\t" + names
	}
	text := "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n" +
		"fe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n" +
		v.pod.Status.PodIP + "\t" + names + "\n"
	if len(v.pod.Spec.HostAliases) > 0 {
		text += "\n# Entries added by HostAliases.\n"
	}
	for _, alias := range v.pod.Spec.HostAliases {
		text += alias.IP + "\t" + strings.Join(alias.Hostnames, "\t") + "\n"
	}
	return text
}

// resolvConf is a pod's /etc/resolv.conf: the cluster's DNS, unless its policy is None, and what its dnsConfig adds (the kubelet's
// appendDNSConfig).
func (v *view) resolvConf() string {
	var searches, servers, options []string
	if v.pod.Spec.DNSPolicy != corev1.DNSNone {
		searches = []string{v.pod.Namespace + ".svc.cluster.local", "svc.cluster.local", "cluster.local"}
		servers, options = []string{v.node.dns()}, []string{"ndots:5"}
	}
	if c := v.pod.Spec.DNSConfig; c != nil {
		servers, searches = append(servers, c.Nameservers...), append(searches, c.Searches...)
		for _, o := range c.Options {
			options = slices.DeleteFunc(options, func(other string) bool { return other == o.Name || strings.HasPrefix(other, o.Name+":") })
			if o.Value != nil {
				o.Name += ":" + *o.Value
			}
			options = append(options, o.Name)
		}
	}
	text := ""
	if len(searches) > 0 {
		text = "search " + strings.Join(once(searches), " ") + "\n"
	}
	for _, server := range once(servers) {
		text += "nameserver " + server + "\n"
	}
	if len(options) > 0 {
		text += "options " + strings.Join(options, " ") + "\n"
	}
	return text
}

// once leaves out what was there before.
func once(list []string) (kept []string) {
	for _, entry := range list {
		if !slices.Contains(kept, entry) {
			kept = append(kept, entry)
		}
	}
	return kept
}

// mount is what is mounted at the longest path above a file; nil: nothing is.
func (v *view) mount(name string) (at *corev1.VolumeMount) {
	for i := range v.container.VolumeMounts {
		m := &v.container.VolumeMounts[i]
		where := path.Clean(m.MountPath)
		if (name == where || strings.HasPrefix(name, where+"/")) && (at == nil || len(where) > len(path.Clean(at.MountPath))) {
			at = m
		}
	}
	return at
}

func (v *view) inVolume(at *corev1.VolumeMount, name string) (podcmd.File, error) {
	i := slices.IndexFunc(v.pod.Spec.Volumes, func(volume corev1.Volume) bool { return volume.Name == at.Name })
	if i < 0 || v.source == nil {
		return podcmd.File{}, errUnknown
	}
	volume := &v.pod.Spec.Volumes[i]
	files, err := v.volume(volume)
	if err != nil {
		return podcmd.File{}, err
	}
	below := strings.TrimPrefix(strings.TrimPrefix(name, path.Clean(at.MountPath)), "/")
	made, there := files.Find(v.pod, volume, strings.TrimPrefix(path.Join("/", v.part(at), below), "/"))
	if files == nil || !there {
		return podcmd.File{}, errNoFile
	}
	file := podcmd.File{Content: made.Data, Mode: made.Mode, UID: made.UID, GID: made.GID, InMemory: podvolume.InMemory(volume)}
	if made.Token != nil {
		file.Content, err = v.token(name, *made.Token)
	}
	return file, err
}

// part is what of a volume is mounted; "" is all of it.
func (v *view) part(m *corev1.VolumeMount) string {
	if m.SubPathExpr == "" {
		return m.SubPath
	}
	known := map[string]string{}
	for _, entry := range v.env {
		name, value, _ := strings.Cut(entry, "=")
		known[name] = value
	}
	return expansion.Expand(m.SubPathExpr, expansion.MappingFuncFor(known))
}

func (v *view) volume(volume *corev1.Volume) (podvolume.Content, error) {
	if files, known := v.volumes[volume.Name]; known {
		return files, nil
	}
	files, err := podvolume.Of(v.ctx, v.source, v.pod, v.container, volume)
	if err == nil {
		v.volumes[volume.Name] = files
	}
	return files, err
}

func (v *view) token(name string, want corev1.ServiceAccountTokenProjection) (string, error) {
	if token, known := v.files[name]; known {
		return token, nil
	}
	token, err := v.source.Token(v.ctx, want)
	if err == nil {
		v.files[name] = token
	}
	return token, err
}
