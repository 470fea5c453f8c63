package podexec

import (
	"context"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/kubernetes/third_party/forked/golang/expansion"

	"tripod/internal/pki"
)

// content is what is in a volume, by path.
type content map[string]file

type file struct {
	data  string
	token *corev1.ServiceAccountTokenProjection // in place of data
}

// writeFiles makes the files of the container's volumes below /var/run/secrets.
func (p *pod) writeFiles(ctx context.Context) error {
	if err := os.Mkdir(p.local(secretsDir), 0o700); err != nil {
		return err
	}
	for _, mount := range p.container.VolumeMounts {
		at := path.Clean(mount.MountPath)
		if at != secretsDir && !strings.HasPrefix(at, secretsDir+"/") {
			continue
		}
		i := slices.IndexFunc(p.object.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == mount.Name })
		if i < 0 {
			continue // the API server lets none be
		}
		if err := p.writeVolume(ctx, at, mount, p.object.Spec.Volumes[i].VolumeSource); err != nil {
			return fmt.Errorf("volume %s: %w", mount.Name, err)
		}
	}
	return nil
}

func (p *pod) writeVolume(ctx context.Context, at string, mount corev1.VolumeMount, source corev1.VolumeSource) error {
	files, err := p.content(ctx, source)
	if err != nil || files == nil {
		return err
	}
	part := mount.SubPath
	if mount.SubPathExpr != "" {
		part = expansion.Expand(mount.SubPathExpr, expansion.MappingFuncFor(p.vars))
	}
	if _, single := files[path.Clean(part)]; !single {
		if err := os.MkdirAll(p.local(at), 0o700); err != nil { // also of an empty volume
			return err
		}
	}
	for name, file := range files {
		below, ok := inPart(name, part)
		if !ok {
			continue
		}
		if file.token != nil {
			err = p.writeToken(ctx, p.local(path.Join(at, below)), *file.token)
		} else {
			err = pki.Write(p.local(path.Join(at, below)), []byte(file.data))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// inPart is a file's path below the part of a volume that is mounted: a directory, or the file itself, and then "".
func inPart(file, part string) (below string, ok bool) {
	file, part = path.Clean(file), path.Clean(part)
	if part == "." {
		return file, true
	}
	if file == part {
		return "", true
	}
	return strings.CutPrefix(file, part+"/")
}

// content is what a kubelet puts into a volume; nil for the kinds whose data are not the API server's.
func (p *pod) content(ctx context.Context, source corev1.VolumeSource) (content, error) {
	files := content{}
	switch {
	case source.Projected != nil:
		for _, projection := range source.Projected.Sources {
			if err := p.project(ctx, files, projection); err != nil {
				return nil, err
			}
		}
		return files, nil
	case source.ConfigMap != nil:
		o, err := p.configMap(ctx, source.ConfigMap.Name)
		return files, files.add(o, source.ConfigMap.Items, source.ConfigMap.Optional, err)
	case source.Secret != nil:
		o, err := p.secret(ctx, source.Secret.SecretName)
		return files, files.add(o, source.Secret.Items, source.Secret.Optional, err)
	case source.DownwardAPI != nil:
		return files, p.describe(ctx, files, source.DownwardAPI.Items)
	case source.EmptyDir != nil:
		return files, nil
	}
	return nil, nil
}

// project adds one source of a projected volume; later ones lie over earlier ones.
func (p *pod) project(ctx context.Context, files content, source corev1.VolumeProjection) error {
	switch {
	case source.ServiceAccountToken != nil:
		files[source.ServiceAccountToken.Path] = file{token: source.ServiceAccountToken}
		return nil
	case source.ConfigMap != nil:
		o, err := p.configMap(ctx, source.ConfigMap.Name)
		return files.add(o, source.ConfigMap.Items, source.ConfigMap.Optional, err)
	case source.Secret != nil:
		o, err := p.secret(ctx, source.Secret.Name)
		return files.add(o, source.Secret.Items, source.Secret.Optional, err)
	case source.DownwardAPI != nil:
		return p.describe(ctx, files, source.DownwardAPI.Items)
	case source.ClusterTrustBundle != nil:
		return fmt.Errorf("its file %s is a ClusterTrustBundle, which only nodes have", source.ClusterTrustBundle.Path)
	case source.PodCertificate != nil:
		return fmt.Errorf("its certificate of signer %s is one that only nodes ask for", source.PodCertificate.SignerName)
	}
	return nil
}

// add adds an object's keys, all of them when items name none. err is what reading it said.
func (c content) add(o object, items []corev1.KeyToPath, optional *bool, err error) error {
	if err == nil {
		err = o.missing(optional)
	}
	if err != nil {
		return err
	}
	if len(items) == 0 {
		for key, value := range o.files {
			c[key] = file{data: value}
		}
	}
	for _, item := range items {
		value, ok, err := o.entry(o.files, item.Key, optional)
		if err != nil {
			return err
		}
		if ok {
			c[item.Path] = file{data: value}
		}
	}
	return nil
}

// describe adds what the downward API says.
func (p *pod) describe(ctx context.Context, files content, items []corev1.DownwardAPIVolumeFile) error {
	for _, item := range items {
		var (
			value string
			err   error
		)
		switch {
		case item.FieldRef != nil:
			value, err = p.field(item.FieldRef.FieldPath)
		case item.ResourceFieldRef != nil:
			value, err = p.resource(ctx, item.ResourceFieldRef)
		}
		if err != nil {
			return fmt.Errorf("file %s: %w", item.Path, err)
		}
		files[item.Path] = file{data: value}
	}
	return nil
}
