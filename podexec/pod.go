package podexec

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"tripod/internal/pki"
)

const (
	secretsDir    = "/var/run/secrets"
	accountDir    = secretsDir + "/kubernetes.io/serviceaccount"
	renewalPause  = 5 * time.Second
	shortestToken = 10 * time.Minute // that an API server gives
)

// pod is the pod and what was made of it.
type pod struct {
	options   Options
	client    kubernetes.Interface
	server    string
	ca        []byte // PEM
	cluster   string
	object    *corev1.Pod
	container *corev1.Container
	dir       string // DIR/secrets is what the command sees as /var/run/secrets
	wait      sync.WaitGroup
}

// local is where a file below /var/run/secrets lies in the pod's directory.
func (p *pod) local(file string) string {
	return filepath.Join(p.dir, "secrets", strings.TrimPrefix(file, secretsDir))
}

// writeFiles makes the files of the container's projected volumes below /var/run/secrets, and renews their tokens until ctx ends.
func (p *pod) writeFiles(ctx context.Context) error {
	if err := os.Mkdir(filepath.Join(p.dir, "secrets"), 0o700); err != nil {
		return err
	}
	for _, mount := range p.container.VolumeMounts {
		if mount.MountPath != secretsDir && !strings.HasPrefix(mount.MountPath, secretsDir+"/") {
			continue
		}
		for _, volume := range p.object.Spec.Volumes {
			if volume.Name != mount.Name || volume.Projected == nil {
				continue
			}
			for _, source := range volume.Projected.Sources {
				if err := p.writeSource(ctx, mount.MountPath, source); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (p *pod) writeSource(ctx context.Context, at string, source corev1.VolumeProjection) error {
	switch {
	case source.ServiceAccountToken != nil:
		return p.writeToken(ctx, path.Join(at, source.ServiceAccountToken.Path), *source.ServiceAccountToken)
	case source.ConfigMap != nil:
		var object *corev1.ConfigMap
		err := again(ctx, func() (err error) {
			object, err = p.client.CoreV1().ConfigMaps(p.object.Namespace).Get(ctx, source.ConfigMap.Name, metav1.GetOptions{})
			return err
		})
		if err != nil {
			return err
		}
		for _, item := range source.ConfigMap.Items {
			if err := pki.Write(p.local(path.Join(at, item.Path)), []byte(object.Data[item.Key])); err != nil {
				return err
			}
		}
	case source.DownwardAPI != nil:
		for _, item := range source.DownwardAPI.Items {
			if item.FieldRef == nil {
				continue
			}
			if err := pki.Write(p.local(path.Join(at, item.Path)), []byte(p.field(item.FieldRef.FieldPath))); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeToken makes a token that is bound to the pod, and goes on to renew it.
func (p *pod) writeToken(ctx context.Context, file string, want corev1.ServiceAccountTokenProjection) error {
	var life time.Duration
	renew := func() error {
		status, err := p.token(ctx, want)
		if err != nil {
			return err
		}
		life = time.Until(status.ExpirationTimestamp.Time)
		return pki.Write(p.local(file), []byte(status.Token))
	}
	if err := again(ctx, renew); err != nil {
		return err
	}
	p.wait.Go(func() {
		for {
			next := max(life*8/10, renewalPause) // as the kubelet does
			select {
			case <-time.After(next):
			case <-ctx.Done():
				return
			}
			if err := renew(); err != nil {
				life = 0 // soon again; the old token is good for a while
			}
		}
	})
	return nil
}

func (p *pod) token(ctx context.Context, want corev1.ServiceAccountTokenProjection) (authenticationv1.TokenRequestStatus, error) {
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		ExpirationSeconds: want.ExpirationSeconds,
		BoundObjectRef:    &authenticationv1.BoundObjectReference{Kind: "Pod", APIVersion: "v1", Name: p.object.Name, UID: p.object.UID},
	}}
	if want.Audience != "" {
		request.Spec.Audiences = []string{want.Audience}
	}
	if seconds := want.ExpirationSeconds; seconds == nil || time.Duration(*seconds)*time.Second < shortestToken {
		request.Spec.ExpirationSeconds = new(int64)
		*request.Spec.ExpirationSeconds = 3600
	}
	made, err := p.client.CoreV1().ServiceAccounts(p.object.Namespace).CreateToken(ctx, p.object.Spec.ServiceAccountName, request, metav1.CreateOptions{})
	if err != nil {
		return authenticationv1.TokenRequestStatus{}, fmt.Errorf("token of service account %s: %w", p.object.Spec.ServiceAccountName, err)
	}
	return made.Status, nil
}

// field is what the downward API says of the pod.
func (p *pod) field(name string) string {
	switch name {
	case "metadata.name":
		return p.object.Name
	case "metadata.namespace":
		return p.object.Namespace
	case "metadata.uid":
		return string(p.object.UID)
	case "spec.nodeName":
		return p.object.Spec.NodeName
	case "spec.serviceAccountName":
		return p.object.Spec.ServiceAccountName
	case "status.podIP":
		return p.object.Status.PodIP
	case "status.hostIP":
		return p.object.Status.HostIP
	}
	for prefix, values := range map[string]map[string]string{"metadata.labels": p.object.Labels, "metadata.annotations": p.object.Annotations} {
		if key, ok := strings.CutPrefix(name, prefix+"['"); ok {
			return values[strings.TrimSuffix(key, "']")]
		}
	}
	return ""
}

// kubeconfigFile is what KUBECONFIG names.
func (p *pod) kubeconfigFile() string { return filepath.Join(p.dir, "kubeconfig") }

// writeKubeconfig leads clients that know no in-cluster configuration to the cluster as the pod. A pod without a token gets one without a user.
func (p *pod) writeKubeconfig() error {
	type object = map[string]any
	user := object{}
	if token := p.local(accountDir + "/token"); exists(token) {
		user["tokenFile"] = token
	}
	text, err := json.MarshalIndent(object{
		"apiVersion": "v1", "kind": "Config", "current-context": "pod",
		"clusters": []object{{"name": p.cluster, "cluster": object{"server": p.server, "certificate-authority-data": base64.StdEncoding.EncodeToString(p.ca)}}},
		"users":    []object{{"name": p.object.Spec.ServiceAccountName, "user": user}},
		"contexts": []object{{"name": "pod", "context": object{"cluster": p.cluster, "user": p.object.Spec.ServiceAccountName, "namespace": p.object.Namespace}}},
	}, "", "  ")
	if err != nil {
		return err
	}
	return pki.Write(p.kubeconfigFile(), text)
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}
