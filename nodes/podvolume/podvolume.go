// Package podvolume says what a kubelet puts into a pod's volumes: what it reads from the API server, without writing it
// anywhere.
package podvolume

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"tripod/nodes/podset"
)

// Content is what is in a volume, by path.
type Content map[string]File

// File of a volume.
type File struct {
	Data     string
	Token    *corev1.ServiceAccountTokenProjection // in place of Data
	Mode     fs.FileMode
	UID, GID int64 // of the owner
}

// Source is where what volumes hold comes from.
type Source interface {
	ConfigMap(ctx context.Context, name string) (Object, error)
	Secret(ctx context.Context, name string) (Object, error)
	// TrustBundles are the certificates, in PEM, of each bundle that a projection names or selects.
	TrustBundles(ctx context.Context, want *corev1.ClusterTrustBundleProjection) ([]string, error)
	// Credentials are the key and the certificates, in PEM, that the kubelet has had made for a source of a volume.
	Credentials(ctx context.Context, volume string, source int) (key, certificates string, err error)
	// Allocatable is what the pod's node has to give.
	Allocatable(ctx context.Context) (corev1.ResourceList, error)
}

// Object is a ConfigMap or a Secret that the pod names.
type Object struct {
	Name  string // "ConfigMap default/levels"
	Found bool
	Text  map[string]string // what variables can have
	Files map[string]string // what volumes can have: a ConfigMap's binary data, too
}

// OfConfigMap is what pods can have of a ConfigMap.
func OfConfigMap(made *corev1.ConfigMap) Object {
	o := Object{Name: "ConfigMap " + made.Namespace + "/" + made.Name, Found: true, Text: made.Data, Files: map[string]string{}}
	for key, value := range made.Data {
		o.Files[key] = value
	}
	for key, value := range made.BinaryData {
		o.Files[key] = string(value)
	}
	return o
}

// OfSecret is what pods can have of a Secret.
func OfSecret(made *corev1.Secret) Object {
	o := Object{Name: "Secret " + made.Namespace + "/" + made.Name, Found: true, Text: map[string]string{}}
	for key, value := range made.Data {
		o.Text[key] = string(value)
	}
	o.Files = o.Text
	return o
}

// Entry is one key's; ok is false for one that is optional and not there.
func (o Object) Entry(in map[string]string, key string, optional *bool) (value string, ok bool, err error) {
	if value, ok = in[key]; ok {
		return value, true, nil
	}
	if err := o.Missing(optional); err != nil || isTrue(optional) {
		return "", false, err
	}
	return "", false, fmt.Errorf("%s has no key %q", o.Name, key)
}

// Missing is the error of an object that is not there and should be.
func (o Object) Missing(optional *bool) error {
	if o.Found || isTrue(optional) {
		return nil
	}
	return fmt.Errorf("there is no %s", o.Name)
}

func isTrue(b *bool) bool { return b != nil && *b }

// InPart is a file's path below the part of a volume that is mounted: a directory, or the file itself, and then "".
func InPart(file, part string) (below string, ok bool) {
	file, part = path.Clean(file), path.Clean(part)
	if part == "." {
		return file, true
	}
	if file == part {
		return "", true
	}
	return strings.CutPrefix(file, part+"/")
}

// Of is what a kubelet puts into a volume of a pod, for one of its containers; nil for the kinds whose data are not the
// API server's.
func Of(ctx context.Context, from Source, pod *corev1.Pod, container *corev1.Container, volume *corev1.Volume) (Content, error) {
	m := maker{from, pod, container, volume.Name, ownerOf(pod), defaultMode, Content{}}
	switch {
	case volume.Projected != nil:
		m.setMode(volume.Projected.DefaultMode)
		for i := range volume.Projected.Sources {
			if err := m.project(ctx, i, &volume.Projected.Sources[i]); err != nil {
				return nil, err
			}
		}
		return m.files, nil
	case volume.ConfigMap != nil:
		m.setMode(volume.ConfigMap.DefaultMode)
		o, err := from.ConfigMap(ctx, volume.ConfigMap.Name)
		return m.files, m.add(o, volume.ConfigMap.Items, volume.ConfigMap.Optional, err)
	case volume.Secret != nil:
		m.setMode(volume.Secret.DefaultMode)
		o, err := from.Secret(ctx, volume.Secret.SecretName)
		return m.files, m.add(o, volume.Secret.Items, volume.Secret.Optional, err)
	case volume.DownwardAPI != nil:
		m.setMode(volume.DownwardAPI.DefaultMode)
		return m.files, m.describe(ctx, volume.DownwardAPI.Items)
	case volume.EmptyDir != nil:
		return m.files, nil
	}
	return nil, nil
}

// maker makes a volume's content.
type maker struct {
	from      Source
	pod       *corev1.Pod
	container *corev1.Container
	volume    string
	owner     owner
	mode      fs.FileMode // of files whose items say nothing
	files     Content
}

// put makes a file with a mode of its own, or the volume's.
func (m *maker) put(path, data string, mode *int32) {
	file := File{Data: data, Mode: m.mode}
	if mode != nil {
		file.Mode = fs.FileMode(*mode)
	}
	m.files[path] = m.owner.group(file)
}

// putOwn makes a file that is the pod's alone: where its user or its group is known, others may not read it.
func (m *maker) putOwn(path string, file File) {
	file.Mode = m.mode
	if m.owner.user != nil || m.owner.fsGroup != nil {
		file.Mode = 0o600
	}
	if m.owner.user != nil {
		file.UID = *m.owner.user
	}
	m.files[path] = m.owner.group(file)
}

// project adds one source of a projected volume; later ones lie over earlier ones.
func (m *maker) project(ctx context.Context, i int, source *corev1.VolumeProjection) error {
	switch {
	case source.ServiceAccountToken != nil:
		m.putOwn(source.ServiceAccountToken.Path, File{Token: source.ServiceAccountToken})
	case source.ConfigMap != nil:
		o, err := m.from.ConfigMap(ctx, source.ConfigMap.Name)
		return m.add(o, source.ConfigMap.Items, source.ConfigMap.Optional, err)
	case source.Secret != nil:
		o, err := m.from.Secret(ctx, source.Secret.Name)
		return m.add(o, source.Secret.Items, source.Secret.Optional, err)
	case source.DownwardAPI != nil:
		return m.describe(ctx, source.DownwardAPI.Items)
	case source.ClusterTrustBundle != nil:
		bundles, err := m.from.TrustBundles(ctx, source.ClusterTrustBundle)
		if err != nil {
			return err
		}
		if len(bundles) == 0 && !isTrue(source.ClusterTrustBundle.Optional) {
			return fmt.Errorf("its file %s is of a ClusterTrustBundle that is not there", source.ClusterTrustBundle.Path)
		}
		m.putOwn(source.ClusterTrustBundle.Path, File{Data: anchors(bundles)})
	case source.PodCertificate != nil:
		key, certificates, err := m.from.Credentials(ctx, m.volume, i)
		if err != nil {
			return fmt.Errorf("its certificate of signer %s: %w", source.PodCertificate.SignerName, err)
		}
		for path, data := range map[string]string{source.PodCertificate.CredentialBundlePath: key + certificates,
			source.PodCertificate.KeyPath: key, source.PodCertificate.CertificateChainPath: certificates} {
			if path != "" {
				m.putOwn(path, File{Data: data})
			}
		}
	}
	return nil
}

// add adds an object's keys, all of them when items name none. err is what reading it said.
func (m *maker) add(o Object, items []corev1.KeyToPath, optional *bool, err error) error {
	if err == nil {
		err = o.Missing(optional)
	}
	if err != nil {
		return err
	}
	if len(items) == 0 {
		for key, value := range o.Files {
			m.put(key, value, nil)
		}
	}
	for _, item := range items {
		value, ok, err := o.Entry(o.Files, item.Key, optional)
		if err != nil {
			return err
		}
		if ok {
			m.put(item.Path, value, item.Mode)
		}
	}
	return nil
}

// describe adds what the downward API says.
func (m *maker) describe(ctx context.Context, items []corev1.DownwardAPIVolumeFile) error {
	for _, item := range items {
		var (
			value string
			err   error
		)
		switch {
		case item.FieldRef != nil:
			value, err = podset.Field(m.pod, &m.pod.Status, item.FieldRef.FieldPath)
		case item.ResourceFieldRef != nil:
			value, err = podset.Resource(m.pod, m.container, item.ResourceFieldRef,
				func() (corev1.ResourceList, error) { return m.from.Allocatable(ctx) })
		}
		if err != nil {
			return fmt.Errorf("file %s: %w", item.Path, err)
		}
		m.put(item.Path, value, item.Mode)
	}
	return nil
}
