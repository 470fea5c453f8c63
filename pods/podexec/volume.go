package podexec

import (
	"context"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"tripod/internal/pki"
	"tripod/nodes/podvolume"
)

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
		if err := p.writeVolume(ctx, at, mount, &p.object.Spec.Volumes[i]); err != nil {
			return fmt.Errorf("volume %s: %w", mount.Name, err)
		}
	}
	return nil
}

func (p *pod) writeVolume(ctx context.Context, at string, mount corev1.VolumeMount, volume *corev1.Volume) error {
	files, err := podvolume.Of(ctx, p, p.object, p.container, volume)
	if err != nil || files == nil {
		return err
	}
	part := p.subPath(mount)
	if _, single := files[path.Clean(part)]; !single {
		if err := os.MkdirAll(p.local(at), 0o700); err != nil { // also of an empty volume
			return err
		}
	}
	for name, file := range files {
		below, ok := podvolume.InPart(name, part)
		if !ok {
			continue
		}
		if file.Token != nil {
			err = p.writeToken(ctx, p.local(path.Join(at, below)), *file.Token)
		} else {
			err = pki.Write(p.local(path.Join(at, below)), []byte(file.Data))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
